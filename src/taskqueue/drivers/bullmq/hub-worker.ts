import { Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';

/** BullMQ's worker, which also says when it last asked Redis for work. */
export class HubWorker extends Worker {
  readonly #started = Date.now();
  #lastFetch: number | undefined;

  constructor(queue: string, processor: Processor, options: WorkerOptions) {
    super(queue, processor, options);
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

  /** Whether it has not asked for work yet, and has not had `ms` for it. */
  isStarting(ms: number): boolean {
    return this.#lastFetch === undefined && Date.now() - this.#started < ms;
  }

  /** Name of its blocking connection, as BullMQ makes it. */
  get blockingName(): string {
    const { prefix = 'bull', name } = this.opts;
    return `${prefix}:${Buffer.from(this.name).toString('base64')}${name ? `:w:${name}` : ''}`;
  }
}
