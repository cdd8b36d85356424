import { AsyncLocalStorage } from 'node:async_hooks';
import type { Message } from './datastream.types.js';

/** How long a handler may run before the log says so, in ms. */
const SLOW_HANDLER_MS = 60_000;

/** One call of a handler. */
interface Run {
  readonly messages: readonly Pick<Message, 'messageId' | 'attempt'>[];
  readonly since: number;
  ended: Promise<void>;
  told: boolean;
}

/** Which run the current call chain is part of, so that a handler that closes its own subscription does not wait for itself. */
const currentRun = new AsyncLocalStorage<Run>();

/** The calls of a subscription's handler that are under way. */
export class HandlerRuns {
  readonly #runs = new Set<Run>();
  readonly #abandoned = new AbortController();
  readonly #watch: NodeJS.Timeout;

  /** @param owner words for the log, e.g. `subscription "orders" of queue "orders"` */
  constructor(
    private readonly owner: string,
    private readonly logger: { warn(message: string): void },
  ) {
    this.#watch = setInterval(() => this.#tellSlow(), SLOW_HANDLER_MS / 4).unref();
  }

  /** How many there are. */
  get size(): number {
    return this.#runs.size;
  }

  /** Fires when they are {@link abandon}ed: for the handlers' contexts. */
  get signal(): AbortSignal {
    return this.#abandoned.signal;
  }

  /**
   * Runs `work`, which never rejects and ends with the settlement of `messages`.
   * @param ended called after it
   */
  start(messages: Run['messages'], work: () => Promise<void>, ended: () => void): void {
    const run: Run = { messages, since: Date.now(), ended: Promise.resolve(), told: false };
    this.#runs.add(run);
    run.ended = currentRun.run(run, work).then(() => {
      this.#runs.delete(run);
      ended();
    });
  }

  /** Resolves when all have ended, except the one that the current call chain is part of. */
  async othersEnded(): Promise<void> {
    const own = currentRun.getStore();
    await Promise.all([...this.#runs].filter((run) => run !== own).map(({ ended }) => ended));
  }

  /** Ends the watch over slow handlers; the subscription starts no more of them. */
  stop(): void {
    clearInterval(this.#watch);
  }

  /** Tells them that nothing that they do will be settled any more. */
  abandon(): void {
    this.stop();
    this.#abandoned.abort();
  }

  #tellSlow(): void {
    const now = Date.now();
    for (const run of this.#runs) {
      if (run.told || now - run.since < SLOW_HANDLER_MS) continue;
      run.told = true;
      const [first, ...others] = run.messages;
      const more = others.length === 0 ? '' : ` and ${others.length} more`;
      this.logger.warn(
        `the handler of ${this.owner} runs for more than ${SLOW_HANDLER_MS} ms: message ${first?.messageId ?? ''}${more}, ` +
          `attempt ${first?.attempt ?? 0}.`,
      );
    }
  }
}
