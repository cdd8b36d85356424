import { Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';

/** BullMQ's worker, which also says when it last asked Redis for work. */
export class HubWorker extends Worker {
  readonly #started = Date.now();
  #lastFetch: number | undefined;
  #ready = false;

  constructor(queue: string, processor: Processor, options: WorkerOptions) {
    super(queue, processor, options);
    // When both of its connections are there: it may fetch before, by the one that does not block.
    this.once('ready', () => (this.#ready = true));
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await super.moveToActive(token, name);
    this.#lastFetch = Date.now();
    return job;
  }

  /** ms since 1970 of the last answer to a request for work; the start counts as one. */
  get lastFetch(): number {
    return this.#lastFetch ?? this.#started;
  }

  /** Whether it has not been connected yet, and has not had `ms` for it. */
  isStarting(ms: number): boolean {
    return !this.#ready && Date.now() - this.#started < ms;
  }

  /** Name of its blocking connection, as BullMQ makes it. */
  get blockingName(): string {
    const { prefix = 'bull', name } = this.opts;
    return `${prefix}:${Buffer.from(this.name).toString('base64')}${name ? `:w:${name}` : ''}`;
  }
}
