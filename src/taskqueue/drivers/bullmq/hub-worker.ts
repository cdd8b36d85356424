import { Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';

/** BullMQ's worker, which also says when it last asked Redis for work. */
export class HubWorker extends Worker {
  /** ms since 1970 of the last answer to a request for work; the start counts as one. */
  lastFetch = Date.now();

  constructor(queue: string, processor: Processor, options: WorkerOptions) {
    super(queue, processor, options);
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await super.moveToActive(token, name);
    this.lastFetch = Date.now();
    return job;
  }

  /** Name of its blocking connection, as BullMQ makes it. */
  get blockingName(): string {
    const { prefix = 'bull', name } = this.opts;
    return `${prefix}:${Buffer.from(this.name).toString('base64')}${name ? `:w:${name}` : ''}`;
  }
}
