import { Readable } from 'node:stream';

/** The bytes of a download: those of the answer, whose errors become HubErrors, ended by the caller's signal. */
export class DownloadBody extends Readable {
  readonly #source: Readable;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  /**
   * @param source body of the answer
   * @param errorOf makes a HubError of what the source fails with
   * @param signal the caller's; when it fires, the download fails with `abortError()`
   */
  constructor(
    source: Readable,
    errorOf: (error: unknown) => Error,
    signal: AbortSignal | undefined,
    abortError: () => Error,
  ) {
    super({ highWaterMark: 256 * 1024 });
    this.#source = source;
    this.#signal = signal;
    this.#onAbort = () => this.destroy(abortError());
    source
      .on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) source.pause();
      })
      .on('end', () => this.push(null))
      .on('error', (error: unknown) => this.destroy(errorOf(error)))
      .pause();
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#source.destroy();
    callback(error);
  }
}
