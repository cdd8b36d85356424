import type { PendingMessage } from './amqp.pending-message.js';

/** From how many left-overs at the head the list is cut. */
const CUT_AT = 1_024;

/** Messages that wait to be sent, first come, first served. Settled ones are left out when their turn comes. */
export class WaitingLine {
  #items: (PendingMessage | undefined)[] = [];
  #head = 0;

  /** Entries, settled ones included. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  push(message: PendingMessage): void {
    this.#items.push(message);
  }

  /** Puts messages back at the head, in their order. */
  putBack(messages: PendingMessage[]): void {
    this.#items = [...messages, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  /** The first one that is not settled, taken out. */
  shift(): PendingMessage | undefined {
    while (this.#head < this.#items.length) {
      const message = this.#items[this.#head];
      this.#items[this.#head] = undefined;
      this.#head += 1;
      if (this.#head >= CUT_AT && this.#head * 2 >= this.#items.length) this.#cut();
      if (message?.settled === false) return message;
    }
    if (this.#head > 0) this.#cut();
    return undefined;
  }

  /** Lets go of the settled ones. */
  prune(): void {
    this.#items = this.#items.slice(this.#head).filter((message) => message?.settled === false);
    this.#head = 0;
  }

  *[Symbol.iterator](): Iterator<PendingMessage> {
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const message = this.#items[index];
      if (message !== undefined) yield message;
    }
  }

  #cut(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
