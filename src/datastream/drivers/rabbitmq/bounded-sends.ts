import type { HubErrorOptions } from '../../../core/errors.js';
import { queueFull } from './rabbitmq.errors.js';

interface Request {
  count: number;
  source: HubErrorOptions;
  admit: () => void;
  refuse: (error: unknown) => void;
}

/**
 * Keeps the sends of this process to a queue with `maxLength` below that length, so that a send either fits as a whole or
 * stores nothing. The broker's own limit stands behind it for all other senders; of quorum queues that one is soft.
 */
export class BoundedSends {
  readonly #waiting: Request[] = [];
  readonly #idle: (() => void)[] = [];
  #unconfirmed = 0;
  #working = false;

  /** @param ready counts the messages in the queue now */
  constructor(
    private readonly queue: string,
    private readonly maxLength: number,
    private readonly ready: () => Promise<number>,
  ) {}

  /** Runs `send`, which sends `count` messages, when they fit; otherwise rejects with `CONFLICT` (`details.sent` is 0). */
  async run<T>(count: number, source: HubErrorOptions, send: () => Promise<T>): Promise<T> {
    await new Promise<void>((admit, refuse) => {
      this.#waiting.push({ count, source, admit, refuse });
      if (!this.#working) void this.#admitAll();
    });
    try {
      return await send();
    } finally {
      this.#unconfirmed -= count;
      if (this.#unconfirmed === 0) for (const wake of this.#idle.splice(0)) wake();
    }
  }

  async #admitAll(): Promise<void> {
    this.#working = true;
    while (this.#waiting.length > 0) {
      const round = this.#waiting.splice(0);
      try {
        await this.#admit(round);
      } catch (error) {
        for (const request of round) request.refuse(error);
      }
    }
    this.#working = false;
  }

  async #admit(round: Request[]): Promise<void> {
    let room = this.maxLength - this.#unconfirmed - (await this.ready());
    while (round[0] !== undefined) {
      const [request] = round;
      if (request.count > room && this.#unconfirmed > 0) {
        // What is unconfirmed may have been counted twice, as it was stored already.
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        room = this.maxLength - (await this.ready());
      }
      round.shift();
      if (request.count > room) {
        request.refuse(queueFull(this.queue, { ...request.source, details: { sent: 0, maxLength: this.maxLength } }));
        continue;
      }
      room -= request.count;
      this.#unconfirmed += request.count;
      request.admit();
    }
  }
}
