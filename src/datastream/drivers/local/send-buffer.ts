import type { SealedMessage } from '../../datastream.validation.js';
import type { StreamEngine } from './stream-engine.js';
import type { StoredQueue } from './stream-store.js';

interface PendingSend {
  queue: StoredQueue;
  messages: readonly SealedMessage[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** What the buffer says when it refuses a send. */
export interface SendRefusals {
  /** The queue holds `ready` messages and has no room for the new ones. */
  full(queue: StoredQueue, ready: number): Error;
  /** The queue was deleted after the send had been made. */
  gone(queue: StoredQueue): Error;
}

/** Commits the sends that are made in one turn of the event loop in one transaction, each wholly or not at all. */
export class SendBuffer {
  #pending: PendingSend[] = [];

  constructor(
    private readonly engine: StreamEngine,
    private readonly refusals: SendRefusals,
  ) {}

  /** Resolves when the messages are committed. */
  send(queue: StoredQueue, messages: readonly SealedMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ queue, messages, resolve, reject });
      if (this.#pending.length === 1) queueMicrotask(() => this.flush());
    });
  }

  /** Commits what waits. */
  flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length === 0) return;
    const done: (() => void)[] = [];
    const woken = new Map<StoredQueue, number | undefined>();
    try {
      this.engine.sweep();
      this.engine.store.transaction(() => {
        for (const send of pending) done.push(this.#write(send, woken));
      });
    } catch (error) {
      for (const { reject } of pending) reject(error);
      return;
    }
    for (const settle of done) settle();
    for (const [queue, expiry] of woken) this.engine.published(queue, expiry);
  }

  #write({ queue, messages, resolve, reject }: PendingSend, woken: Map<StoredQueue, number | undefined>): () => void {
    const { store } = this.engine;
    if (store.queue(queue.name)?.id !== queue.id) return () => reject(this.refusals.gone(queue));
    if (queue.maxLength !== null) {
      const { ready } = store.counts(queue);
      if (ready + messages.length > queue.maxLength) return () => reject(this.refusals.full(queue, ready));
    }
    const expiry = store.insert(queue, messages);
    const known = woken.get(queue);
    woken.set(queue, expiry === undefined ? known : Math.min(expiry, known ?? expiry));
    return resolve;
  }
}
