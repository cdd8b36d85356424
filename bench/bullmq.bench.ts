import { randomUUID } from 'node:crypto';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { TaskQueueModule, TaskQueuePlugin } from 'nestjs-experiment-hub';
import { elapsed, percentile, rate, time, type Bench } from './bench.js';
import { open } from './open.js';

const url = process.env['HUB_TEST_REDIS'] ?? 'redis://127.0.0.1:56379';
/** Tasks of one block, and how often each kind of block is run: both sides in turn. */
const ADD = { block: 250, blocks: 16 };
const BULK = { block: 1_000, blocks: 8 };
const TRIPS = { block: 100, blocks: 10 };
const ROUNDS = 5;

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

type Who = 'hub' | 'raw';
type Figure = Record<Who, number[]>;

/**
 * The driver beside BullMQ itself, with the job options that the driver sets. Needs the Redis of HUB_TEST_REDIS. Both
 * sides are open at the same time and take turns in short blocks, so that what else the machine does falls on both.
 */
export const bullmq: Bench = {
  name: 'bullmq',
  async run() {
    const figures = { add: figure(), bulk: figure(), process: figure(), trips: figure() };
    for (let round = 0; round <= ROUNDS; round += 1) {
      // The first round warms up.
      const taken = round === 0 ? { add: figure(), bulk: figure(), process: figure(), trips: figure() } : figures;
      const sides: [Who, Side][] = [
        ['hub', await hubSide()],
        ['raw', rawSide()],
      ];
      if (round % 2 === 1) sides.reverse();
      try {
        await measure(sides, taken);
      } finally {
        for (const [, side] of sides) await side.close();
      }
    }
    const perSecond = (name: string, count: number, { hub, raw }: Figure) =>
      rate(name, 'tasks/s', (count / percentile(hub, 50)) * 1_000, (count / percentile(raw, 50)) * 1_000);
    const trip = (p: number) =>
      time(`submit to result, p${p}`, 'ms', percentile(figures.trips.hub, p), percentile(figures.trips.raw, p));
    return [
      perSecond('submitTask', ADD.block, figures.add),
      perSecond('submitTasks', BULK.block, figures.bulk),
      perSecond('run', BACKLOG, figures.process),
      trip(50),
      trip(99),
    ];
  },
};

const BACKLOG = ADD.block * ADD.blocks + BULK.block * BULK.blocks;

async function measure(sides: readonly [Who, Side][], taken: Record<'add' | 'bulk' | 'process' | 'trips', Figure>) {
  for (let block = 0; block < ADD.blocks; block += 1) {
    for (const [who, side] of sides) {
      const ms = await elapsed(async () => {
        for (let n = 0; n < ADD.block; n += 1) await side.add(n);
      });
      taken.add[who].push(ms);
    }
  }
  for (let block = 0; block < BULK.blocks; block += 1) {
    for (const [who, side] of sides) taken.bulk[who].push(await elapsed(() => side.bulk(BULK.block)));
  }
  for (const [who, side] of sides) taken.process[who].push(await elapsed(() => side.process(BACKLOG)));
  // The first trip of each side opens what it hears of results by.
  for (const [, side] of sides) await side.trip(0);
  for (let block = 0; block < TRIPS.blocks; block += 1) {
    for (const [who, side] of sides) {
      for (let n = 0; n < TRIPS.block; n += 1) taken.trips[who].push(await elapsed(() => side.trip(n)));
    }
  }
}

function figure(): Figure {
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
