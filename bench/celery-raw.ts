import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { Redis } from 'ioredis';

/** Arguments of the tasks that are submitted, about 190 bytes of JSON. */
export const ARGUMENTS: [args: string[], kwargs: Record<string, string | number | number[] | boolean>] = [
  ['s3://models/churn/2026-11-28/features.parquet', 'churn'],
  { rows: 48_842, features: [0.1, 12.5, 3.75, 8], learningRate: 0.05, epochs: 20, stratified: true, seed: 17 },
];

/** A task's message by hand: the headers and the body that the driver sends. */
function taskMessage(
  task = 'bench.rows',
  args: readonly unknown[] = ARGUMENTS,
): { id: string; headers: Record<string, unknown>; body: string } {
  const id = randomUUID();
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  return {
    id,
    headers: {
      lang: 'js',
      task,
      id,
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: id,
      parent_id: null,
      argsrepr: '(hidden)',
      kwargsrepr: '{hidden}',
      origin: `bench:${process.pid}@${hostname()}`,
      ignore_result: false,
      replaced_task_nesting: 0,
      stamped_headers: null,
      stamps: {},
    },
    body: JSON.stringify([...args, embed]),
  };
}

/** Tasks sent by amqplib and by ioredis, as one would by hand. */
export class RawCelery {
  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    private readonly redis: Redis,
    /** Hears of results. */
    private readonly ears: Redis,
  ) {}

  static async open(amqp: string, redis: string): Promise<RawCelery> {
    const connection = await connect(amqp);
    return new RawCelery(connection, await connection.createConfirmChannel(), new Redis(redis), new Redis(redis));
  }

  /** @param done called when the broker has confirmed it */
  publish(queue: string, done: (error: unknown) => void): void {
    this.#publish(queue, taskMessage(), done);
  }

  /**
   * One task from submit to result with nothing that could be left out: its channel is subscribed to first, and the broker's
   * confirm is not waited for. Nothing is asked of Redis, so a result that is not published is never seen.
   */
  async trip(queue: string, task: string, args: readonly unknown[], prefix: string): Promise<unknown> {
    const message = taskMessage(task, [args, {}]);
    const channel = `${prefix}celery-task-meta-${message.id}`;
    await this.ears.subscribe(channel);
    const result = new Promise((resolve) => {
      const hear = (heard: string, text: string): void => {
        if (heard !== channel) return;
        const meta = JSON.parse(text) as { status: string; result: unknown };
        if (meta.status !== 'SUCCESS') return;
        this.ears.off('message', hear);
        resolve(meta.result);
      };
      this.ears.on('message', hear);
    });
    this.#publish(queue, message, () => undefined);
    const value = await result;
    void this.ears.unsubscribe(channel);
    return value;
  }

  /** Resolves when Redis has it. */
  async push(list: string): Promise<void> {
    const { id, headers, body } = taskMessage();
    const envelope = {
      body: Buffer.from(body).toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers,
      properties: {
        correlation_id: id,
        reply_to: '',
        delivery_mode: 2,
        delivery_info: { exchange: '', routing_key: list },
        priority: 0,
        body_encoding: 'base64',
        delivery_tag: randomUUID(),
      },
    };
    await this.redis.lpush(list, JSON.stringify(envelope));
  }

  /** Empties a queue; resolves to how many messages it had. */
  async purge(queue: string): Promise<number> {
    return (await this.channel.purgeQueue(queue)).messageCount;
  }

  /** Empties a list; resolves to how many messages it had. */
  async clear(list: string): Promise<number> {
    const length = await this.redis.llen(list);
    await this.redis.del(list);
    return length;
  }

  /** Deletes a queue, with the exchange that Python's client has made for it, and every key with the prefix. */
  async remove(queue: string, prefix: string): Promise<void> {
    await this.channel.deleteQueue(queue);
    await this.channel.deleteExchange(queue);
    for await (const keys of this.redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
      if ((keys as string[]).length > 0) await this.redis.unlink(keys as string[]);
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
    this.redis.disconnect();
    this.ears.disconnect();
  }

  #publish(queue: string, { id, headers, body }: ReturnType<typeof taskMessage>, done: (error: unknown) => void): void {
    const properties = { contentType: 'application/json', contentEncoding: 'utf-8', persistent: true, mandatory: true };
    this.channel.publish(
      '',
      queue,
      Buffer.from(body),
      { ...properties, headers, correlationId: id, messageId: id },
      done,
    );
  }
}
