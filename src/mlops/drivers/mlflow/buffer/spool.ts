import { errorMessage, HubError } from '../../../../core/errors.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { StoreFault } from '../../../../embedded/store-fault.js';
import type { SpoolOptions } from './buffer.options.js';
import type { NumberedWrite, PendingWrite } from './run-write.js';
import type { SpooledRun } from './spool.schema.js';
import { ENTRY_BYTES, rangeOf, sizeOf } from './spool-entry.js';
import type { SpoolEvents } from './spool-events.js';
import type { SpoolFile } from './spool-file.js';
import { SpoolRejections } from './spool-rejections.js';
import { moveRejected, stageEntries } from './spool-stage.js';
import { SpoolSlots } from './spool-slots.js';

/** Most writes and bytes that wait for one transaction. */
const COMMIT_WRITES = 1_000;
const COMMIT_BYTES = 4_000_000;
/** A file that held this many bytes is shrunk when it is empty. */
const SHRINK_BYTES = 8_000_000;

/** Words for the log. */
const REMOVE = 'remove what was sent';

/** What waits on disk for the server, in order per run. Survives the process; a process that died is inherited from. */
export class Spool {
  #pending: PendingWrite[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #entries = 0;
  #bytes = 0;
  #peak = 0;
  #lastSeq = 0;
  /** Up to which place writes of a run are on the server, although they could not be removed yet. */
  readonly #sent = new Map<string, number>();
  readonly #fault: StoreFault;
  /** What the server refused. */
  readonly rejections: SpoolRejections;
  #commitFault: string | undefined;
  /** Bytes of the last write, if there was no room for it. */
  #wanted = 0;
  #halted = false;
  #closed = false;

  private constructor(
    private readonly file: SpoolFile,
    private readonly slots: SpoolSlots,
    private readonly options: SpoolOptions,
    private readonly logger: StoreLogger,
    private readonly events: SpoolEvents,
  ) {
    this.#fault = new StoreFault(logger, `the spool ${file.path}`);
    this.rejections = new SpoolRejections(file, logger);
  }

  /** Opens the folder's first free file. `UNAVAILABLE` when that is not possible. */
  static open(options: SpoolOptions, logger: StoreLogger, events: SpoolEvents): Spool {
    const slots = new SpoolSlots(options.folder, options.durability, logger);
    const file = slots.take();
    const spool = new Spool(file, slots, options, logger, events);
    file.clearStage();
    for (const run of spool.runs()) {
      spool.#entries += run.count;
      spool.#bytes += run.bytes + run.count * ENTRY_BYTES;
      spool.#lastSeq = Math.max(spool.#lastSeq, run.last);
    }
    spool.#peak = spool.#bytes;
    return spool;
  }

  /** Where the file lies. */
  get path(): string {
    return this.file.path;
  }

  /** Writes that wait, those included that are just being stored. */
  get entries(): number {
    return this.#entries + this.#pending.length;
  }

  /** About how many bytes they and the rejected ones take. */
  get bytes(): number {
    return this.#bytes + this.#pendingBytes + this.rejections.bytes;
  }

  /** Why it takes nothing at the moment. */
  get fault(): string | undefined {
    if (this.#commitFault !== undefined) return this.#commitFault;
    return this.#wanted > 0 && !this.#fits(this.#wanted) ? this.#fullText() : undefined;
  }

  /** When the oldest entry was spooled, in ms since 1970; `undefined` when there is none, or it cannot be read. */
  get oldest(): number | undefined {
    if (this.#closed || this.entries === 0) return undefined;
    try {
      return this.file.oldest();
    } catch {
      return undefined;
    }
  }

  /** The last place in the order of the calls. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The next place. */
  nextSeq(): number {
    this.#lastSeq += 1;
    return this.#lastSeq;
  }

  /** The runs that have entries, the one with the oldest first. */
  runs(): SpooledRun[] {
    this.commit();
    return this.file.runs();
  }

  /** Stores a write and then settles its caller: together with what else comes in this turn of the event loop. */
  append(write: PendingWrite): void {
    if (this.#closed || !this.#fits(sizeOf(write))) {
      this.#wanted = sizeOf(write);
      this.#lose([write], this.#closed ? `${this.path} is closed` : this.#fullText());
      return;
    }
    this.#wanted = 0;
    this.#pending.push(write);
    this.#pendingBytes += sizeOf(write);
    if (this.#pending.length >= COMMIT_WRITES || this.#pendingBytes > COMMIT_BYTES) this.commit();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.commit();
      });
    }
  }

  /** Stores at once what waits for the next transaction. */
  commit(): void {
    const writes = this.#pending;
    const bytes = this.#pendingBytes;
    if (writes.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const now = Date.now();
      this.file.transaction(() => {
        for (const write of writes) this.file.insert(write, now);
      });
    } catch (error) {
      this.#commitFault = `${this.path} cannot be written: ${errorMessage(error)}`;
      this.#lose(writes, this.#commitFault, error);
      return;
    }
    this.#commitFault = undefined;
    this.#entries += writes.length;
    this.#bytes += bytes;
    this.#peak = Math.max(this.#peak, this.#bytes);
    for (const write of writes) write.resolve();
  }

  /** The next writes of a run, as many as go into one request. */
  next(runId: string): NumberedWrite[] {
    this.commit();
    return this.file.next(runId, this.#sent.get(runId) ?? 0);
  }

  /**
   * Removes writes, the next of their run, after the server confirmed them. On a disk that takes nothing they are removed
   * with later ones; they are not sent again, unless the process dies.
   */
  remove(writes: readonly NumberedWrite[]): void {
    if (this.#closed) return;
    const [runId, , last] = rangeOf(writes);
    this.#sent.set(runId, last);
    this.#removed(writes);
    try {
      this.file.transaction(() => {
        for (const [sentRun, sentLast] of this.#sent) this.file.remove(sentRun, sentLast);
      });
      this.#sent.clear();
      this.#fault.worked(REMOVE);
    } catch (error) {
      this.#fault.failed(REMOVE, error);
    }
    if (this.#sent.size === 0) this.#shrink();
  }

  /** Keeps writes aside, which follow each other in their run and which the server refused. */
  reject(writes: readonly NumberedWrite[], error: unknown): void {
    if (this.#closed) return;
    this.rejections.add(writes, error);
    this.#removed(writes);
  }

  /**
   * Takes over what processes left that are gone. Their entries get places after all that are here. A crash in the middle
   * only repeats some of them.
   */
  async adopt(): Promise<void> {
    for (const orphan of this.slots.orphans(this.path)) {
      try {
        await this.#inherit(orphan);
        this.#fault.worked(`take over ${orphan.path}`);
      } catch (error) {
        this.#fault.failed(`take over ${orphan.path}`, error);
      } finally {
        this.slots.giveUp(orphan);
      }
      if (this.#halted) break;
    }
  }

  /** Ends {@link adopt} at the next chance. */
  halt(): void {
    this.#halted = true;
  }

  /** Stores what waits and gives the file up. */
  close(): void {
    if (this.#closed) return;
    this.commit();
    this.#closed = true;
    this.slots.giveUp(this.file);
  }

  async #inherit(orphan: SpoolFile): Promise<void> {
    const halted = (): boolean => this.#halted;
    await moveRejected(orphan, this.file, halted, (writes) => this.rejections.inherited(writes));
    const last = await stageEntries(orphan, this.file, halted);
    if (last === undefined) return;
    this.#takeStage();
    orphan.transaction(() => orphan.removeHead(last));
  }

  #takeStage(): void {
    const runs = this.file.stagedRuns();
    const first = this.#lastSeq + 1;
    this.file.transaction(() => this.file.takeStage(this.#lastSeq));
    for (const run of runs) {
      this.#entries += run.count;
      this.#bytes += run.bytes + run.count * ENTRY_BYTES;
      this.#lastSeq = Math.max(this.#lastSeq, first - 1 + run.last);
    }
    this.#peak = Math.max(this.#peak, this.#bytes);
    for (const { runId, count } of runs) this.events.adopted(runId, count, first);
  }

  #removed(writes: readonly NumberedWrite[]): void {
    this.#entries -= writes.length;
    for (const write of writes) this.#bytes -= sizeOf(write);
  }

  #fits(bytes: number): boolean {
    return this.bytes + bytes <= this.options.maxBytes;
  }

  #fullText(): string {
    const { count } = this.rejections;
    const aside = count === 0 ? '' : `, ${count} rejected writes included`;
    return `${this.path} holds its ${this.options.maxBytes} bytes (option maxBytes${aside})`;
  }

  #shrink(): void {
    if (this.entries > 0 || this.#peak < SHRINK_BYTES) return;
    this.#peak = 0;
    try {
      this.file.shrink();
    } catch (error) {
      this.logger.warn(`${this.path} stays as large as it is: ${errorMessage(error)}`);
    }
  }

  #lose(writes: readonly PendingWrite[], why: string, cause?: unknown): void {
    const error = new HubError(
      'UNAVAILABLE',
      `the write was not stored: the MLflow server cannot take it now, and the spool ${why}.`,
      { cause },
    );
    for (const write of writes) {
      this.events.lost(write);
      write.reject(error);
    }
  }
}
