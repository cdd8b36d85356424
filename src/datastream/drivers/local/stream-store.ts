import { openStore, type EmbeddedStore, type SqliteDatabase } from '../../../embedded/store.js';
import type { EmbeddedStoreOptions } from '../../../embedded/store.options.js';
import type { DeadLetterReason } from '../../datastream.types.js';
import type { ResolvedQueueOptions, SealedMessage } from '../../datastream.validation.js';
import { readDeadLetter, readMessage, type StoredDeadLetter, type StoredMessage } from './stored-message.js';
import { migrations } from './stream-schema.js';
import { prepareStatements, type StreamStatements } from './stream-statements.js';

/** A queue as it is stored. */
export interface StoredQueue extends ResolvedQueueOptions {
  id: number;
  name: string;
}

/** Messages by state, of one queue or of all. */
export interface StreamCounts {
  ready: number;
  unacked: number;
  delayed: number;
  deadLetters: number;
}

/** Where a delivery stands in the store: only the newest attempt of a message can be settled. */
export type DeliveryKey = Pick<StoredMessage, 'seq' | 'attempt' | 'messageId'>;

/** The tables of `stream.db`: every change is one SQL transaction, made when the method returns. Times are ms. */
export class StreamStore {
  readonly path: string;
  /** Messages that opening has made dead letters, since as many processes as their queue allows died with them. */
  readonly buried: readonly { queue: string; count: number }[];
  readonly #store: EmbeddedStore;
  readonly #db: SqliteDatabase;
  readonly #sql: StreamStatements;
  readonly #queues = new Map<string, StoredQueue>();
  /** The last number given out: numbers serve as seq and as position, and none is used twice while the store is open. */
  #last: number;

  /** Opens the file and takes back what a dead process had in hand. Throws as `openStore` does. */
  constructor(options: EmbeddedStoreOptions) {
    this.#store = openStore({
      dataDir: options.dataDir,
      durability: options.durability,
      file: 'stream.db',
      migrations,
    });
    this.path = this.#store.path;
    this.#db = this.#store.db;
    try {
      this.#sql = prepareStatements(this.#db);
      for (const [id, name, maxLength, messageTtl, deliveryLimit] of this.#sql.queues.all() as QueueRow[]) {
        this.#queues.set(name, { id, name, maxLength, messageTtl, deliveryLimit });
      }
      this.#last = one<number>(this.#sql.lastNumber.all());
      this.buried = this.transaction(() => {
        const buried = this.queues.map((queue) => {
          const { changes } = this.#sql.buryLost.run(Date.now(), limitDetail(queue), queue.id, queue.deliveryLimit);
          return { queue: queue.name, count: changes };
        });
        this.#sql.recover.run();
        return buried.filter(({ count }) => count > 0);
      });
    } catch (error) {
      this.#store.close();
      throw error;
    }
  }

  /** All queues. */
  get queues(): readonly StoredQueue[] {
    return [...this.#queues.values()];
  }

  /** The queue of that name, if it exists. */
  queue(name: string): StoredQueue | undefined {
    return this.#queues.get(name);
  }

  /** Runs `work` in one transaction; calls within it join it. */
  transaction<T>(work: () => T): T {
    if (this.#db.inTransaction) return work();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk.
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Adds a queue whose name is free. */
  addQueue(name: string, options: ResolvedQueueOptions): StoredQueue {
    const { maxLength, messageTtl, deliveryLimit } = options;
    const id = this.transaction(() => {
      const added = one<number>(this.#sql.addQueue.all(name, maxLength, messageTtl, deliveryLimit));
      this.#sql.addCounts.run(added, added, added, added);
      return added;
    });
    const queue = { id, name, maxLength, messageTtl, deliveryLimit };
    this.#queues.set(name, queue);
    return queue;
  }

  /** Removes a queue and everything in it. */
  deleteQueue(queue: StoredQueue): void {
    this.transaction(() => {
      this.#sql.deleteMessages.run(queue.id);
      this.#sql.deleteQueue.run(queue.id);
    });
    this.#queues.delete(queue.name);
  }

  /** Counts of one queue, or of all. */
  counts(queue?: StoredQueue): StreamCounts {
    const rows = (queue === undefined ? this.#sql.countAll.all() : this.#sql.countQueue.all(queue.id)) as number[][];
    const [[ready = 0, unacked = 0, delayed = 0, deadLetters = 0] = []] = rows;
    return { ready, unacked, delayed, deadLetters };
  }

  /** Adds ready messages at the end; resolves to the earliest expiry among them, if any. */
  insert(queue: StoredQueue, messages: readonly SealedMessage[]): number | undefined {
    let earliest: number | undefined;
    this.transaction(() => {
      const now = Date.now();
      for (const { messageId, encoding, body, headers, correlationId, ttl, priority } of messages) {
        const number = this.#next();
        const life = ttl ?? queue.messageTtl;
        const expiresAt = life === null ? null : now + life;
        if (expiresAt !== null) earliest = Math.min(earliest ?? expiresAt, expiresAt);
        this.#sql.insert.run(
          ...[number, queue.id, priority, number, expiresAt, life],
          ...[messageId, encoding, body, headers, correlationId, now],
        );
      }
    });
    return earliest;
  }

  /** Hands out the next messages, each with its attempt counted; with `auto` they are removed at once. */
  take(queue: StoredQueue, max: number, auto: boolean): StoredMessage[] {
    return this.transaction(() => {
      const messages = this.#sql.nextReady
        .all(queue.id, Date.now(), max)
        .map((row) => readMessage(row as unknown[], queue.name));
      for (const message of messages) {
        message.attempt += 1;
        if (auto) this.#sql.remove.run(message.seq);
        else this.#sql.markUnacked.run(message.attempt, message.seq);
      }
      return messages;
    });
  }

  /** Removes a delivered message. */
  ack({ seq, attempt }: DeliveryKey): void {
    this.#sql.ack.run(seq, attempt);
  }

  /**
   * Puts a delivered message back, at its place, or at the end after `delay` ms; past the limit it becomes a dead letter,
   * and its detail is returned.
   * @param spared whether no retry policy counts the delivery; only without delay
   */
  release(queue: StoredQueue, delivery: DeliveryKey, delay: number, spared: boolean): string | undefined {
    const { seq, attempt } = delivery;
    if (attempt >= queue.deliveryLimit) return this.bury(delivery, 'delivery-limit', limitDetail(queue));
    if (delay > 0) this.#sql.delay.run(Date.now() + delay, seq, attempt);
    else this.#sql.release.run(spared ? 1 : 0, seq, attempt);
    return undefined;
  }

  /** Makes a delivered message a dead letter and returns `detail`; `undefined` when it was settled before. */
  bury({ seq, attempt }: DeliveryKey, reason: DeadLetterReason, detail: string): string | undefined {
    const { changes } = this.#sql.bury.run(reason, detail, Date.now(), this.#next(), seq, attempt);
    return changes > 0 ? detail : undefined;
  }

  /** Removes the ready messages that have not expired; returns their number. */
  flush(queue: StoredQueue): number {
    return this.#sql.flush.run(queue.id, Date.now()).changes;
  }

  /**
   * Moves expired messages to the dead letters and due ones back to their queues, up to 1000 of each, and returns the ids
   * of those queues. When there are more, {@link nextSweep} is in the past.
   */
  sweep(now: number): number[] {
    return this.transaction(() => {
      for (const [seq] of this.#sql.expired.all(now) as number[][]) this.#sql.expire.run(now, this.#next(), seq);
      const woken = new Set<number>();
      for (const [seq = 0, queueId = 0] of this.#sql.due.all(now) as number[][]) {
        this.#sql.wake.run(this.#next(), seq);
        woken.add(queueId);
      }
      return [...woken];
    });
  }

  /** When {@link sweep} has something to do next. */
  nextSweep(): number | undefined {
    return one<number | null>(this.#sql.nextSweep.all()) ?? undefined;
  }

  /** The oldest dead letters. */
  deadLetters(queue: StoredQueue, max: number): StoredDeadLetter[] {
    return this.#sql.deadLetters.all(queue.id, max).map((row) => readDeadLetter(row as unknown[], queue.name));
  }

  /** `seq` of the oldest dead letters, or of those with the given message ids. */
  findDeadLetters(queue: StoredQueue, max: number, messageIds?: readonly string[]): number[] {
    const ids = messageIds === undefined ? undefined : JSON.stringify(messageIds);
    const rows =
      ids === undefined ? this.#sql.deadSeqs.all(queue.id, max) : this.#sql.deadSeqsById.all(queue.id, ids, max);
    return (rows as number[][]).map(([seq = 0]) => seq);
  }

  /** Makes dead letters new messages at the end of their queue: attempts and time to live start again. */
  redrive(seqs: readonly number[]): void {
    this.transaction(() => {
      for (const seq of seqs) this.#sql.redrive.run(this.#next(), Date.now(), seq);
    });
  }

  /** Removes all dead letters; returns their number. */
  purgeDeadLetters(queue: StoredQueue): number {
    return this.#sql.purgeDead.run(queue.id).changes;
  }

  /** Closes the file. */
  close(): void {
    this.#store.close();
  }

  #next(): number {
    this.#last += 1;
    return this.#last;
  }
}

type QueueRow = [id: number, name: string, maxLength: number | null, messageTtl: number | null, deliveryLimit: number];

function limitDetail({ deliveryLimit }: StoredQueue): string {
  return `delivered ${deliveryLimit} time(s) and never settled for good: the deliveryLimit of the queue`;
}

/** The only value of the only row of a raw result. */
function one<T>(rows: unknown[]): T {
  return (rows as T[][])[0]?.[0] as T;
}
