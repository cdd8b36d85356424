import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** Bytes held back before the sender feels it, as the buffers of a network that went silent. */
const HELD_LIMIT = 64 * 1024;

/** One direction of a proxied connection: hands on what it reads in order, late or not at all for now. */
export class TcpPipe {
  /** Delay of what is read from now on, in ms. */
  latency = 0;
  #held = 0;
  #last: Promise<void> = Promise.resolve();
  #thawed: Promise<void> | undefined;
  #thaw: (() => void) | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
  ) {
    from.on('data', (chunk) => this.#take(chunk));
    from.once('end', () => this.#then(() => void to.end()));
    from.once('close', (failed) => {
      if (failed) this.#then(() => void to.destroy());
    });
    // The close that follows says the rest.
    from.on('error', () => undefined);
  }

  /** From now on nothing comes through, the end of the connection neither; nothing is lost. */
  freeze(): void {
    this.#thawed ??= new Promise((resolve) => (this.#thaw = resolve));
  }

  /** What was held comes through, in order. */
  thaw(): void {
    this.#thaw?.();
    this.#thawed = undefined;
  }

  #take(chunk: Buffer): void {
    this.#held += chunk.length;
    if (this.#held > HELD_LIMIT) this.from.pause();
    this.#then(async () => {
      // The callback also comes when the other side is gone.
      await new Promise<void>((resolve) => void this.to.write(chunk, () => resolve()));
      this.#held -= chunk.length;
      if (this.#held <= HELD_LIMIT) this.from.resume();
    });
  }

  #then(work: () => void | Promise<void>): void {
    const due = performance.now() + this.latency;
    this.#last = this.#last.then(async () => {
      const rest = due - performance.now();
      if (rest > 0) await setTimeout(rest);
      // It may be frozen again before this gets its turn.
      while (this.#thawed !== undefined) await this.#thawed;
      await work();
    });
  }
}
