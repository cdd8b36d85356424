import { addAbortSignal, Readable } from 'node:stream';
import { abortError, MAX_TIMER_MS } from '../../../../core/deadline.js';
import { errorMessage, HubError } from '../../../../core/errors.js';

/**
 * One reading of what is uploaded, a piece at a time. The content's own failures are told apart from all others. Content
 * that gives nothing for a while is given up, since nobody else would end the wait.
 */
export class UploadContent {
  /**
   * Set once the content has failed: `PAYLOAD_INVALID`, also when it was not as long as it was said to be; `TIMEOUT` when
   * it stalled; `ABORTED` by the signal.
   */
  failure: HubError | undefined;
  /** Whether all of it has been taken. */
  ended = false;
  readonly #chunks: AsyncGenerator<Buffer>;
  #taken: Buffer[] = [];
  #waiting = 0;
  /** Ends the wait for the next bytes, while there is one. */
  #endWait: ((reason: Error) => void) | undefined;

  /**
   * @param idleTimeout longest wait for the next bytes of the content, in ms; the time that those who take them need does
   * not count
   * @param size bytes of the content, when known
   */
  constructor(
    private readonly content: Readable,
    private readonly idleTimeout: number,
    private readonly size?: number,
    private readonly signal?: AbortSignal,
  ) {
    // Heard from the start and for ever: an error event without a listener ends the process, and a stream that hangs
    // tells its error long after it was destroyed.
    content.on('error', ignore);
    if (signal !== undefined && !signal.aborted) addAbortSignal(signal, content);
    this.#chunks = this.#read();
  }

  /** The next `max` bytes; fewer only where the content ends, and {@link ended} says so. */
  async take(max: number): Promise<Buffer> {
    while (this.#waiting <= max && !this.ended) {
      const next = await this.#chunks.next();
      if (next.done === true) this.ended = true;
      else this.#hold(next.value);
    }
    const all = Buffer.concat(this.#taken);
    const rest = all.subarray(max);
    this.#taken = rest.length === 0 ? [] : [rest];
    this.#waiting = rest.length;
    // One byte more was asked for, so that the end is known as soon as the last piece is taken.
    if (rest.length > 0) this.ended = false;
    return all.subarray(0, max);
  }

  /** `first` and all that has not been taken, as a stream. */
  stream(first: Buffer): Readable {
    const rest = this.#rest(first);
    return Readable.from(rest, { objectMode: true });
  }

  /** Closes the content, and ends a wait for it. */
  destroy(): void {
    this.content.destroy();
    this.#endWait?.(new Error('it was closed'));
  }

  #hold(bytes: Buffer): void {
    this.#taken.push(bytes);
    this.#waiting += bytes.length;
  }

  async *#rest(first: Buffer): AsyncGenerator<Buffer> {
    for (const bytes of [first, ...this.#taken.splice(0)]) if (bytes.length > 0) yield bytes;
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      yield next.value;
    }
    this.ended = true;
  }

  async *#read(): AsyncGenerator<Buffer> {
    let length = 0;
    try {
      const iterator = this.content[Symbol.asyncIterator]();
      for (;;) {
        const next = await this.#unlessStalled(iterator.next());
        if (next.done === true) break;
        const bytes = toBytes(next.value);
        length += bytes.length;
        if (length > (this.size ?? Infinity)) throw new Error(`it is longer than the ${this.size} bytes announced`);
        if (bytes.length > 0) yield bytes;
      }
      if (length < (this.size ?? 0)) throw new Error(`it ended after ${length} of ${this.size} bytes`);
    } catch (cause) {
      this.failure ??= new HubError('PAYLOAD_INVALID', `the content failed while it was read: ${errorMessage(cause)}`, {
        cause,
      });
      throw this.failure;
    }
  }

  /** Settles as `step` does, or gives the content up. The timer keeps no process alive. */
  async #unlessStalled<T>(step: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const { signal, idleTimeout } = this;
    const stalled = new Promise<never>((_resolve, reject) => {
      this.#endWait = reject;
      const giveUp = (failure: HubError): void => {
        this.failure ??= failure;
        this.content.destroy();
        reject(failure);
      };
      timer = setTimeout(
        () => giveUp(new HubError('TIMEOUT', `the content to upload gave no bytes for ${idleTimeout} ms.`)),
        Math.min(idleTimeout, MAX_TIMER_MS),
      ).unref();
      // Destroying is not enough: a stream made of a generator that hangs never tells that it was.
      onAbort = () => giveUp(abortError(signal));
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([step, stalled]);
    } finally {
      clearTimeout(timer);
      this.#endWait = undefined;
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }
}

function toBytes(chunk: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, 'utf8');
  if (Buffer.isBuffer(chunk)) return chunk;
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(`it gave a value of type ${typeof chunk} instead of bytes`);
}

function ignore(): void {}
