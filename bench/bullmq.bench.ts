import { randomUUID } from 'node:crypto';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { TaskQueueModule, TaskQueuePlugin } from 'nestjs-experiment-hub';
import { alternating, elapsed, percentile, rate, time, type Bench } from './bench.js';
import { open } from './open.js';

const url = process.env['HUB_TEST_REDIS'] ?? 'redis://127.0.0.1:56379';
const TASKS = 4_000;
const SINGLE = 1_000;
const TRIPS = 300;

/** One side of the comparison, on a prefix of its own. */
interface Side {
  add(n: number): Promise<unknown>;
  bulk(count: number): Promise<unknown>;
  /** Starts a worker of concurrency 10 and resolves when it has run `count` tasks. */
  process(count: number): Promise<void>;
  /** One task from submit to result. */
  trip(n: number): Promise<unknown>;
  close(): Promise<void>;
}

/** The driver beside BullMQ itself, with the job options that the driver sets. Needs the Redis of HUB_TEST_REDIS. */
export const bullmq: Bench = {
  name: 'bullmq',
  async run() {
    const figures = { add: ours(), bulk: ours(), process: ours(), p50: ours(), p99: ours() };
    const measure = async (side: Side, take: Record<keyof typeof figures, (ms: number) => void>): Promise<number> => {
      try {
        await side.add(-1);
        take.add(
          await elapsed(async () => {
            for (let n = 1; n < SINGLE; n += 1) await side.add(n);
          }),
        );
        take.bulk(await elapsed(() => side.bulk(TASKS)));
        take.process(await elapsed(() => side.process(SINGLE + TASKS)));
        const trips: number[] = [];
        for (let n = 0; n < TRIPS; n += 1) trips.push(await elapsed(() => side.trip(n)));
        take.p50(percentile(trips, 50));
        take.p99(percentile(trips, 99));
        return 0;
      } finally {
        await side.close();
      }
    };
    const takes = (who: 'hub' | 'raw') =>
      Object.fromEntries(
        Object.entries(figures).map(([name, figure]) => [name, (ms: number) => void figure[who].push(ms)]),
      ) as Record<keyof typeof figures, (ms: number) => void>;
    await alternating({
      hub: async () => measure(await hubSide(), takes('hub')),
      raw: async () => measure(rawSide(), takes('raw')),
    });
    const medians = ({ hub, raw }: Figure): [number, number] => [
      percentile(hub.slice(1), 50),
      percentile(raw.slice(1), 50),
    ];
    const perSecond = (name: string, count: number, figure: Figure) => {
      const [hub, raw] = medians(figure);
      return rate(name, 'tasks/s', (count / hub) * 1_000, (count / raw) * 1_000);
    };
    return [
      perSecond('submitTask', SINGLE - 1, figures.add),
      perSecond('submitTasks', TASKS, figures.bulk),
      perSecond('run', SINGLE + TASKS, figures.process),
      time('submit to result, p50', 'ms', ...medians(figures.p50)),
      time('submit to result, p99', 'ms', ...medians(figures.p99)),
    ];
  },
};

interface Figure {
  hub: number[];
  raw: number[];
}

function ours(): Figure {
  return { hub: [], raw: [] };
}

async function hubSide(): Promise<Side> {
  const prefix = `hub-bench-${randomUUID()}`;
  const app = await open(TaskQueueModule.forRoot({ type: 'bullmq', config: { url, prefix } }));
  const tasks = app.get(TaskQueuePlugin);
  return {
    add: (n) => tasks.submitTask('add', { args: [n] }),
    bulk: (count) => tasks.submitTasks(Array.from({ length: count }, (_unused, n) => ({ name: 'add', args: [n] }))),
    process: (count) =>
      new Promise((resolve, reject) => {
        let left = count;
        const handler = ({ args }: { args: readonly unknown[] }): number => {
          if ((left -= 1) === 0) resolve();
          return Number(args[0]) + 1;
        };
        tasks.registerTask('add', handler).catch(reject);
      }),
    trip: async (n) => tasks.getResult(await tasks.submitTask('add', { args: [n] })),
    close: async () => {
      await app.close();
      await removeKeys(prefix);
    },
  };
}

function rawSide(): Side {
  const prefix = `hub-bench-${randomUUID()}`;
  const connection = { url };
  const queue = new Queue('default', { connection, prefix });
  // From the first trip on, as the driver does: before, it would read an event or more for each job that is added and run,
  // on the one thread that adds and runs them, which cost the raw side a third of its rates.
  let events: QueueEvents | undefined;
  let worker: Worker | undefined;
  const job = (n: number) => {
    const keep = { age: 86_400 };
    const opts = { jobId: randomUUID(), priority: 10, removeOnComplete: keep, removeOnFail: keep, stackTraceLimit: 5 };
    return { name: 'add', data: { args: [n], kwargs: {} }, opts };
  };
  const add = (n: number) => {
    const { name, data, opts } = job(n);
    return queue.add(name, data, opts);
  };
  return {
    add,
    bulk: (count) => queue.addBulk(Array.from({ length: count }, (_unused, n) => job(n))),
    process: (count) =>
      new Promise((resolve) => {
        let left = count;
        const handler = async ({ data }: { data: { args: number[] } }): Promise<number> => {
          if ((left -= 1) === 0) resolve();
          return Number(data.args[0]) + 1;
        };
        worker = new Worker('default', handler, { connection, prefix, concurrency: 10 });
      }),
    trip: async (n) =>
      (await add(n)).waitUntilFinished((events ??= new QueueEvents('default', { connection, prefix }))),
    close: async () => {
      await worker?.close();
      await events?.close();
      await queue.close();
      await removeKeys(prefix);
    },
  };
}

async function removeKeys(prefix: string): Promise<void> {
  const redis = new Redis(url);
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.del(keys as string[]);
  }
  redis.disconnect();
}
