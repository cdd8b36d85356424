import { HubError } from '../../../../core/errors.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import type { NumberedWrite } from './run-write.js';
import type { RejectedWrite } from './spool.schema.js';
import { ENTRY_BYTES, rangeOf } from './spool-entry.js';
import type { SpoolFile } from './spool-file.js';

/** What the server refused after it had been acknowledged: kept in the spool's file until somebody forgets it. */
export class SpoolRejections {
  #count: number;
  #bytes: number;

  constructor(
    private readonly file: SpoolFile,
    private readonly logger: StoreLogger,
  ) {
    const { count, bytes } = file.sizeOfRejected();
    this.#count = count;
    this.#bytes = bytes + count * ENTRY_BYTES;
  }

  get count(): number {
    return this.#count;
  }

  /** About how many bytes they take in the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Moves writes here, which follow each other in their run. */
  add(writes: readonly NumberedWrite[], error: unknown): void {
    const [runId, first, last] = rangeOf(writes);
    const count = writes.length;
    const bytes = this.file.transaction(() => this.file.reject(runId, first, last, error));
    this.#count += count;
    this.#bytes += bytes + count * ENTRY_BYTES;
    const code = HubError.is(error) ? error.code : 'INTERNAL';
    // The reason may quote what was written, so it stays in the file.
    this.logger.error(
      `the MLflow server refused ${count} spooled write${count === 1 ? '' : 's'} of run ${runId} (${code}). ` +
        `They are kept in ${this.file.path}; rejectedWrites() of the plugin reads them.`,
    );
  }

  /** Counts what was taken over from another file. */
  inherited(writes: readonly RejectedWrite[]): void {
    this.#count += writes.length;
    for (const { content } of writes) this.#bytes += Buffer.byteLength(content) + ENTRY_BYTES;
  }

  /** The first ones. */
  list(limit: number): RejectedWrite[] {
    return this.file.rejected(limit);
  }

  /** Forgets one; `false` when there is none of that id. */
  forget(id: number): boolean {
    const bytes = this.file.removeRejected(id);
    if (bytes === undefined) return false;
    this.#count -= 1;
    this.#bytes -= bytes + ENTRY_BYTES;
    return true;
  }
}
