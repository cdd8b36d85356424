import { Readable } from 'node:stream';

/** The body of one attempt of an upload, which remembers whether its source failed, and not the connection. */
export class AttemptBody {
  /** What the source failed with. */
  failure: unknown;
  /** Whether {@link failure} is set. */
  hasFailed = false;
  readonly #make: () => Readable | Buffer;
  #source: Readable | Buffer | undefined;

  constructor(make: () => Readable | Buffer) {
    this.#make = make;
  }

  /** The bytes. The source is made when the first of them is wanted, so an attempt that finds no server leaves it alone. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      this.#source = this.#make();
      if (Buffer.isBuffer(this.#source)) yield this.#source;
      else yield* this.#source as AsyncIterable<Uint8Array>;
    } catch (error) {
      this.hasFailed = true;
      this.failure = error;
      throw error;
    }
  }

  /** Lets go of a source that was not read to its end. */
  dispose(): void {
    if (this.#source instanceof Readable) this.#source.on('error', () => undefined).destroy();
  }
}
