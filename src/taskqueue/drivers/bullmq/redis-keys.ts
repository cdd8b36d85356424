/** Names of the keys: BullMQ's, and the hub's own, which no queue of BullMQ can have since their name holds a `$`. */
export class RedisKeys {
  constructor(readonly prefix: string) {}

  /** Names of the queues that were ever submitted to: a set. */
  get queues(): string {
    return `${this.prefix}:$hub:queues`;
  }

  /** Ids of running tasks that were asked to stop, by time: a sorted set. */
  get cancels(): string {
    return `${this.prefix}:$hub:cancels`;
  }

  /** Names of workers: a set. */
  get workers(): string {
    return `${this.prefix}:$hub:workers`;
  }

  /** What one worker says of itself: a string that expires. */
  worker(name: string): string {
    return `${this.prefix}:$hub:worker:${name}`;
  }

  /** The hash of a job, or another key of a queue. */
  of(queue: string, part: string): string {
    return `${this.prefix}:${queue}:${part}`;
  }

  /** What a worker holds a job by. */
  lock(queue: string, taskId: string): string {
    return this.of(queue, `${taskId}:lock`);
  }
}
