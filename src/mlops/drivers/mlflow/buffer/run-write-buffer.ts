import { withDeadline } from '../../../../core/deadline.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { StoreLogger } from '../../../../embedded/store-logger.js';
import type { DatasetInput, FinalRunStatus } from '../../../mlops.types.js';
import type { CheckedBatch } from '../../../mlops.validation.js';
import { BufferMemory } from './buffer-memory.js';
import { BUFFER_DEFAULTS, SPOOL_DEFAULTS, type BufferOptions } from './buffer.options.js';
import type { BufferStatus } from './buffer-status.js';
import type { LaneContext } from './lane-context.js';
import { RequestSlots } from './request-slots.js';
import { RunLane } from './run-lane.js';
import { bytesOf, itemsOf, type PendingWrite, type RunWrite } from './run-write.js';
import type { RunWriter } from './run-writer.js';
import { ServerGate } from './server-gate.js';
import { Spool } from './spool.js';
import type { RejectedWrite } from './spool.schema.js';

/** After how many failures of its own, while others work, a run no longer keeps a search from answering. */
const OWN_FAILURES = 2;

/**
 * Gathers the writes to runs into few requests, and keeps them on disk while the server is away. A write resolves when it
 * is stored on the server or durably spooled. Writes to one run take effect in the order of the calls; runs do not wait
 * for each other. A write that the server refuses costs its own caller an error only.
 */
export class RunWriteBuffer {
  readonly #lanes = new Map<string, RunLane>();
  readonly #context: LaneContext;
  readonly #gate: ServerGate;
  readonly #memory: BufferMemory;
  readonly #spool: Spool | undefined;
  readonly #logger: StoreLogger;
  #adoptTimer: NodeJS.Timeout | undefined;
  #adopting: Promise<void> | undefined;
  #adoptFailed = false;
  #seq = 0;
  #closed = false;

  private constructor(writer: RunWriter, options: BufferOptions) {
    const settings = { ...BUFFER_DEFAULTS, ...options };
    const logger = options.logger ?? new StoreLogger('MLflow');
    this.#logger = logger;
    if (options.spool !== undefined) {
      this.#spool = Spool.open({ ...SPOOL_DEFAULTS, ...options.spool }, logger, {
        lost: ({ runId }) => this.#lost(runId),
        adopted: (runId, count, first) => this.#lane(runId).inherit(count, first),
      });
    }
    this.#gate = new ServerGate(settings.retry, settings.patience, logger, {
      away: () => this.#all((lane) => lane.retreat()),
      gone: () => this.#all((lane) => lane.giveUp()),
      back: () => this.#all((lane) => lane.pump()),
      retry: () => this.#try(),
    });
    this.#memory = new BufferMemory(settings.maxBuffered, settings.maxBufferedBytes);
    this.#context = {
      writer,
      slots: new RequestSlots(settings.concurrency),
      memory: this.#memory,
      gate: this.#gate,
      spool: this.#spool,
      retry: settings.retry,
      patience: settings.patience,
      linger: settings.linger,
      closed: () => this.#closed,
      rested: (lane) => this.#forgetIdle(lane),
      stillSpooled: ({ spooled, runId, record }) => this.#stillSpooled(spooled, ` of run ${runId}`, record.reason),
    };
  }

  /**
   * Opens the spool and begins to replay what it holds, also what processes left that are gone. `UNAVAILABLE` when no file
   * of the spool can be opened.
   */
  static async open(writer: RunWriter, options: BufferOptions = {}): Promise<RunWriteBuffer> {
    const buffer = new RunWriteBuffer(writer, options);
    for (const { runId, count, first } of buffer.#spool?.runs() ?? []) buffer.#lane(runId).inherit(count, first);
    // Awaited, so that what a process left lies before what its successor writes to the same run.
    await buffer.#spool?.adopt();
    const interval = options.adoptInterval ?? BUFFER_DEFAULTS.adoptInterval;
    if (buffer.#spool !== undefined) buffer.#adoptTimer = setInterval(() => buffer.#adopt(), interval).unref();
    return buffer;
  }

  /** Logs a batch; one that fits into a request is stored as a whole or not at all. */
  write(runId: string, batch: CheckedBatch): Promise<void> {
    return this.#add(runId, { kind: 'batch', batch });
  }

  /** Logs the data sets of a run. */
  logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    return this.#add(runId, { kind: 'inputs', datasets });
  }

  /** Ends a run, after all that was written to it before. @param endTime ms since 1970 */
  end(runId: string, status: FinalRunStatus, endTime: number): Promise<void> {
    return this.#add(runId, { kind: 'end', status, endTime });
  }

  /**
   * Resolves when all that was written before the call (to one run, or to any) is on the server; writes whose callers got
   * an error do not count. Tries at once. `UNAVAILABLE` says how many writes are still spooled after the server has failed
   * for the buffer's `patience`, `CONFLICT` how many spooled ones the server refused meanwhile.
   */
  async flush(runId?: string): Promise<void> {
    this.#requireOpen();
    const open = this.#lanesOf(runId);
    const refusedBefore = sum(open.map((lane) => lane.refused));
    await this.#flush(open);
    const refused = sum(open.map((lane) => lane.refused)) - refusedBefore;
    if (refused === 0) return;
    const what = refused === 1 ? 'a spooled write' : `${refused} spooled writes`;
    throw new HubError('CONFLICT', `the MLflow server refused ${what}; see rejectedWrites().`);
  }

  /**
   * To be called before a run is read, or before a search of all: resolves when all that was written to it is on the
   * server. `UNAVAILABLE`, as {@link flush}, when data of it is still spooled here; what the server refused is no reason
   * not to read, and one run that keeps failing while the others work is none to search no more.
   */
  async settle(runId?: string): Promise<void> {
    this.#requireOpen();
    const lanes = this.#lanesOf(runId);
    const ignoresFailing = runId === undefined && !this.#gate.away;
    await this.#flush(ignoresFailing ? lanes.filter(({ record }) => record.own < OWN_FAILURES) : lanes);
  }

  /** Sends what there is for at most `deadline` ms and spools the rest. Without a spool the rest rejects. */
  async drain(deadline: number): Promise<void> {
    if (this.#closed) return;
    const lanes = [...this.#lanes.values()];
    // What stays on disk is no failure here: the next process sends it.
    await withDeadline(this.#flush(lanes), deadline).catch(() => undefined);
    this.#all((lane) => lane.abandon(closedError));
    this.#spool?.commit();
  }

  /** Spools what is in memory, begins no further request and gives the spool up. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#adoptTimer);
    this.#gate.close();
    this.#all((lane) => lane.abandon(closedError));
    this.#spool?.halt();
    await this.#adopting;
    this.#spool?.close();
  }

  /** For health. Cheap, and never throws. */
  status(): BufferStatus {
    const { reason } = this.#gate;
    const fault = this.#spool?.fault;
    return {
      state: this.#gate.away ? 'away' : 'up',
      ...(reason === undefined ? {} : { reason }),
      ...(fault === undefined ? {} : { fault }),
      buffered: this.#memory.items,
      spooled: this.#spool?.entries ?? 0,
      spooledBytes: this.#spool?.bytes ?? 0,
      oldest: this.#spool?.oldest ?? null,
      rejected: this.#spool?.rejections.count ?? 0,
    };
  }

  /** The first acknowledged writes that the server refused later. @param limit default 1000 */
  rejected(limit = 1_000): RejectedWrite[] {
    this.#requireOpen();
    return this.#spool?.rejections.list(limit) ?? [];
  }

  /** Forgets a rejected write that somebody has dealt with; `false` when there is none of that id. */
  forget(id: number): boolean {
    this.#requireOpen();
    return this.#spool?.rejections.forget(id) ?? false;
  }

  #lanesOf(runId: string | undefined): RunLane[] {
    if (runId === undefined) return [...this.#lanes.values()];
    const lane = this.#lanes.get(runId);
    return lane === undefined ? [] : [lane];
  }

  #requireOpen(): void {
    if (this.#closed) throw closedError();
  }

  #add(runId: string, write: RunWrite): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    const items = itemsOf(write);
    if (items === 0) return Promise.resolve();
    const bytes = bytesOf(write);
    const seq = this.#nextSeq();
    return new Promise((resolve, reject: (error: unknown) => void) => {
      const pending: PendingWrite = { runId, write, seq, items, bytes, settled: false, resolve, reject };
      this.#lane(runId).add(pending);
    });
  }

  async #flush(lanes: readonly RunLane[]): Promise<void> {
    const last = this.#lastSeq();
    // While the server is away one run is enough to find out.
    const first = leastFailed(lanes);
    if (this.#gate.away && lanes.length > 1) await first?.flush(last).catch(() => undefined);
    const away = this.#gate.away && lanes.length > 1 && first !== undefined && first.spooled > 0;
    const results = await Promise.allSettled(away ? [] : lanes.map((lane) => lane.flush(last)));
    const failed = results.find((result) => result.status === 'rejected');
    if (!away && failed === undefined) return;
    if (lanes.length === 1) throw failed?.reason;
    throw this.#stillSpooled(sum(lanes.map((lane) => lane.spooled)), '');
  }

  #stillSpooled(count: number, where: string, reason = this.#gate.reason): HubError {
    const writes = count === 1 ? '1 write' : `${count} writes`;
    const why = reason === undefined ? '' : ` (${reason})`;
    return new HubError(
      'UNAVAILABLE',
      `${writes}${where} are still spooled, since the MLflow server cannot take them now${why}. They are sent when it can.`,
      { details: { spooled: count } },
    );
  }

  /** Tries whether the server is back, with the run that failed least and then the oldest. */
  #try(): void {
    const lanes = [...this.#lanes.values()];
    // A request under way will tell.
    if (lanes.some((lane) => lane.busy)) return;
    const lane = leastFailed(lanes);
    if (lane === undefined) this.#gate.presume();
    else lane.try();
  }

  #adopt(): void {
    if (this.#adopting !== undefined || this.#closed) return;
    this.#adopting = this.#spool
      ?.adopt()
      .catch((error: unknown) => {
        // Nobody waits for it, and it is tried again: once in the log is enough.
        if (!this.#adoptFailed)
          this.#logger.error(`what other processes left cannot be taken over: ${errorMessage(error)}`);
        this.#adoptFailed = true;
      })
      .finally(() => (this.#adopting = undefined));
  }

  #lane(runId: string): RunLane {
    let lane = this.#lanes.get(runId);
    if (lane === undefined) {
      lane = new RunLane(runId, this.#context);
      this.#lanes.set(runId, lane);
    }
    return lane;
  }

  #lost(runId: string): void {
    const lane = this.#lanes.get(runId);
    lane?.lost();
    // Later: the lane may just be spooling more.
    if (lane !== undefined) queueMicrotask(() => this.#forgetIdle(lane));
  }

  #forgetIdle(lane: RunLane): void {
    if (lane.idle && this.#lanes.get(lane.runId) === lane) this.#lanes.delete(lane.runId);
  }

  #all(tell: (lane: RunLane) => void): void {
    for (const lane of [...this.#lanes.values()]) tell(lane);
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#spool?.nextSeq() ?? this.#seq;
  }

  #lastSeq(): number {
    return this.#spool?.lastSeq ?? this.#seq;
  }
}

function closedError(): HubError {
  return new HubError('CLOSED', 'the write buffer is closed.');
}

/** Of the runs with spooled writes the one that failed least, and of these the oldest. */
function leastFailed(lanes: readonly RunLane[]): RunLane | undefined {
  const candidates = lanes.filter((lane) => lane.spooled > 0);
  const least = Math.min(...candidates.map(({ record }) => record.failures));
  return candidates.find(({ record }) => record.failures === least);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
