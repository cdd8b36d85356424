import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleep } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import { Delivery } from './delivery.js';
import type { LaneContext } from './lane-context.js';
import { LaneFlushes } from './lane-flushes.js';
import { LaneRecord } from './lane-record.js';
import { BATCH_LIMITS } from '../client/log-batch.split.js';
import type { NumberedWrite, PendingWrite } from './run-write.js';
import { isAnswer, isOutage, isPassing, isServerFault } from './run-writer.js';
import { takeGroup } from './write-group.js';

/**
 * The writes of one run, one request at a time: first what is in memory, then what is spooled. All that is in memory was
 * written before all that is spooled, since writes go to the spool as long as it holds any of the run.
 */
export class RunLane {
  readonly #flushes = new LaneFlushes();
  readonly record: LaneRecord;
  readonly #fromMemory: Delivery<PendingWrite>;
  readonly #fromSpool: Delivery<NumberedWrite>;
  #queue: PendingWrite[] = [];
  #inFlight: PendingWrite[] = [];
  #spooled = 0;
  /** No spooled write has a place before it. */
  #firstSpooled = Infinity;
  #refused = 0;
  #running = false;
  /** Whether the next step is taken although the server is away. */
  #trying = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly runId: string,
    private readonly context: LaneContext,
  ) {
    this.record = new LaneRecord(() => context.gate.successes);
    this.#fromMemory = new Delivery(context.writer, (error) => isOutage(error) && !this.record.blames(error), {
      stored: (writes) => {
        this.#worked();
        this.#settle(writes, (write) => write.resolve());
      },
      refused: (writes, error) => {
        this.#answered(error);
        this.#settle(writes, (write) => write.reject(error));
      },
    });
    this.#fromSpool = new Delivery(context.writer, (error) => isPassing(error) && !this.record.blames(error), {
      stored: (writes) => {
        context.spool?.remove(writes);
        this.#spooled -= writes.length;
        this.#worked();
      },
      refused: (writes, error) => {
        context.spool?.reject(writes, error);
        this.#spooled -= writes.length;
        this.#refused += writes.length;
        this.#answered(error);
      },
    });
  }

  /** Writes that wait on disk. */
  get spooled(): number {
    return this.#spooled;
  }

  /** Spooled writes that the server has refused since this lane began. */
  get refused(): number {
    return this.#refused;
  }

  get busy(): boolean {
    return this.#running;
  }

  /** Whether it may be forgotten. */
  get idle(): boolean {
    if (this.#running || this.#queue.length > 0 || this.#flushes.waiting) return false;
    return this.#spooled === 0 && !this.record.faulty;
  }

  /** Takes a write in; it is settled when it is stored or spooled. */
  add(write: PendingWrite): void {
    const { spool, gate, memory } = this.context;
    const room = memory.fits(write);
    if (spool !== undefined && (this.#spooled > 0 || gate.away || !room)) {
      this.#spool([write]);
      this.pump();
    } else if (room) {
      memory.take(write);
      this.#queue.push(write);
      this.pump();
    } else {
      write.reject(
        new HubError('UNAVAILABLE', 'the write was not stored: too many writes wait in memory, and there is no spool.'),
      );
    }
  }

  /** Takes over entries that the spool holds without this lane having written them. */
  inherit(count: number, first: number): void {
    this.#spooled += count;
    this.#firstSpooled = Math.min(this.#firstSpooled, first);
    this.pump();
  }

  /** A spooled write could not be stored. */
  lost(): void {
    this.#spooled -= 1;
    this.#announce();
  }

  /** Goes on, if there is anything to do and the server is not known to be away. */
  pump(): void {
    if (this.#running || !this.#mayGoOn()) return;
    this.#running = true;
    void this.#run();
  }

  /** Tries the server once, although it may be away. */
  try(): void {
    this.#trying = true;
    this.pump();
  }

  /**
   * Resolves when all writes up to the place `last` are on the server. Tries at once, and rejects with `UNAVAILABLE` when
   * the server, or this run, has been failing for longer than the patience lasts.
   */
  async flush(last: number): Promise<void> {
    if (this.#firstOpen() > last) return;
    const flushed = this.#flushes.wait(last);
    if (this.#spooled > 0) this.#trying = true;
    this.pump();
    await flushed;
  }

  /** The server is away: what is not under way yet goes to the spool. */
  retreat(): void {
    if (this.context.spool === undefined) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#leaveMemory(queue);
    this.#spool(queue);
    if (this.#inFlight.length === 0) this.#trying = false;
  }

  /** The server stays away: who waits for writes is told. */
  giveUp(): void {
    // What is under way from memory will tell.
    if (this.context.spool !== undefined && this.#inFlight.length === 0) this.#failFlushes();
  }

  /** Gives up on requests under way, whose outcome stays open, and spools all that is in memory. */
  abandon(error: () => HubError): void {
    this.#goOn();
    const writes = [...this.#inFlight.filter((write) => !write.settled), ...this.#queue];
    this.#inFlight = [];
    this.#queue = [];
    this.#leaveMemory(writes);
    if (this.context.spool === undefined) for (const write of writes) write.reject(error());
    else this.#spool(writes);
    this.#flushes.fail(error);
  }

  #mayGoOn(): boolean {
    if (this.context.closed()) return false;
    if (this.#queue.length > 0) return true;
    return this.#spooled > 0 && (this.#trying || (!this.context.gate.away && this.#timer === undefined));
  }

  async #run(): Promise<void> {
    const { slots, linger } = this.context;
    if (linger > 0 && !this.#flushes.waiting && this.#queue.length < BATCH_LIMITS.items) await sleep(linger);
    while (this.#mayGoOn()) {
      // Lets all calls of this turn of the event loop, and those made by their continuations, join the request.
      await nextTurn();
      await slots.take();
      try {
        if (this.#mayGoOn()) await (this.#queue.length > 0 ? this.#sendMemory() : this.#sendSpooled());
      } finally {
        slots.give();
      }
      this.#announce();
    }
    this.#running = false;
    this.#announce();
    this.context.rested(this);
  }

  async #sendMemory(): Promise<void> {
    const group = takeGroup(this.#queue);
    this.#inFlight = group;
    const began = this.record.begin();
    try {
      await this.#fromMemory.send(this.runId, group);
    } catch (error) {
      const undecided = group.filter((write) => !write.settled);
      this.#inFlight = [];
      if (this.context.closed()) return;
      this.#leaveMemory(undecided);
      if (this.context.spool === undefined) this.#giveUp(undecided, error);
      else this.#spool(undecided);
      this.#failed(error, began);
    } finally {
      this.#inFlight = [];
    }
  }

  async #sendSpooled(): Promise<void> {
    const began = this.record.begin();
    try {
      const group = this.context.spool?.next(this.runId) ?? [];
      await this.#fromSpool.send(this.runId, group);
      // Nobody inserts before what was just sent: memory is empty, and later writes get later places.
      this.#firstSpooled = this.#spooled === 0 ? Infinity : Math.max(this.#firstSpooled, (group.at(-1)?.seq ?? 0) + 1);
    } catch (error) {
      if (!this.context.closed()) this.#failed(error, began);
    }
  }

  #settle(writes: readonly PendingWrite[], tell: (write: PendingWrite) => void): void {
    const open = writes.filter((write) => !write.settled);
    this.#leaveMemory(open);
    for (const write of open) tell(write);
  }

  #leaveMemory(writes: readonly PendingWrite[]): void {
    for (const write of writes) {
      write.settled = true;
      this.context.memory.give(write);
    }
  }

  #spool(writes: readonly PendingWrite[]): void {
    for (const write of writes) {
      this.#spooled += 1;
      this.#firstSpooled = Math.min(this.#firstSpooled, write.seq);
      this.context.spool?.append(write);
    }
  }

  /** Without a spool: who queued behind a write that failed is told the same, instead of waiting for a time-out each. */
  #giveUp(undecided: readonly PendingWrite[], error: unknown): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#leaveMemory(queue);
    for (const write of [...undecided, ...queue]) write.reject(error);
  }

  /** The server did what it was asked. */
  #worked(): void {
    this.record.worked();
    this.#goOn();
    this.context.gate.worked();
  }

  /** The server will not take writes. */
  #answered(error: unknown): void {
    if (!isServerFault(error)) return this.#worked();
    // Whether it is there for others stays open.
    this.record.condemned();
    this.#goOn();
  }

  #goOn(): void {
    this.#trying = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #failed(error: unknown, began: number): void {
    const { gate, patience, retry } = this.context;
    this.#goOn();
    this.record.failed(error);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.pump();
    }, this.record.wait(retry)).unref();
    // When others work meanwhile, the answer to this run says nothing of the server: they go on.
    if (this.record.own === 0 || !isAnswer(error)) gate.failed(error, began);
    if (gate.gone || this.record.failsFor(patience)) this.#failFlushes();
  }

  #failFlushes(): void {
    this.#announce();
    this.#flushes.fail(() => this.context.stillSpooled(this));
  }

  /** The first place that is not on the server yet. */
  #firstOpen(): number {
    const [memory] = this.#inFlight.length > 0 ? this.#inFlight : this.#queue;
    return Math.min(memory?.seq ?? Infinity, this.#spooled > 0 ? this.#firstSpooled : Infinity);
  }

  #announce(): void {
    this.#flushes.reached(this.#firstOpen());
  }
}
