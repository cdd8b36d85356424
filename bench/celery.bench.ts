import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { alternating, elapsed, percentile, rate, time, type Bench, type BenchLine } from './bench.js';
import { ARGUMENTS } from './celery-raw.js';
import { REDIS, withCelery, type CeleryStage } from './celery-stage.js';
import { pipelined } from './pipelined.js';
import { withBroker } from './rabbitmq-stage.js';

const TASKS = 4_000;
/** Of those that wait for each answer, as Python's client does; all figures are rates. */
const ONE_BY_ONE = 300;
const PYTHON_TASKS = 500;
/** Most tasks that are submitted and not confirmed. */
const WINDOW = 500;
/** Tasks of a batch; two of them are sent at a time. */
const BATCH = WINDOW / 2;
/** Round trips of one side in a row, and how often. */
const TRIPS = { block: 50, blocks: 8 };
const WAITERS = 10_000;

const [args, kwargs] = ARGUMENTS;
const batch = Array.from({ length: BATCH }, () => ({ name: 'bench.rows', args, kwargs }));

/** The Celery driver against Celery's own client, and against what carries the messages: amqplib and ioredis. */
export const celery: Bench = {
  name: 'celery',
  async run() {
    return withBroker((amqp) =>
      withCelery(amqp, async (stage) => [
        ...(await overRabbit(stage)),
        ...(await overRedis(stage)),
        ...(await stage.withWorker((queue) => roundTrips(stage, queue))),
        ...(await waiters(amqp, stage.prefix)),
      ]),
    );
  },
};

async function overRabbit({ rabbit, noteless, raw, python, queue }: CeleryStage): Promise<BenchLine[]> {
  const measured = (count: number, work: () => Promise<unknown>) => async (): Promise<number> => {
    const figure = await perSecond(count, work);
    const stored = await raw.purge(queue);
    if (stored < count) throw new Error(`${stored} of ${count} tasks are there`);
    return figure;
  };
  const ours = (count: number, window: number, tasks = rabbit) =>
    measured(count, () => pipelined(count, window, (done) => void submit(tasks).then(() => done(), done)));
  const amqplib = (count: number, window: number) =>
    measured(count, () => pipelined(count, window, (done) => raw.publish(queue, done)));
  const celeryClient = (kind: string) => async (): Promise<number> => {
    const figure = await python.measure(kind, queue, PYTHON_TASKS);
    await raw.purge(queue);
    return figure;
  };
  await submit(rabbit);
  await submit(noteless);
  const figures = await alternating({
    ours: ours(TASKS, WINDOW),
    raw: amqplib(TASKS, WINDOW),
    noteless: ours(TASKS, WINDOW, noteless),
    batches: measured(TASKS, () =>
      pipelined(TASKS / BATCH, 2, (done) => void rabbit.submitTasks(batch).then(() => done(), done)),
    ),
    confirmed: celeryClient('confirmed'),
    oursSingly: ours(ONE_BY_ONE, 1),
    rawSingly: amqplib(ONE_BY_ONE, 1),
    notelessSingly: ours(ONE_BY_ONE, 1, noteless),
    default: celeryClient('default'),
    ignoring: celeryClient('ignoring'),
  });
  const many = `submitTask, ${WINDOW} at a time`;
  const batches = `submitTasks of ${BATCH}, two at a time`;
  const each = 'submitTask, awaited one by one';
  return [
    rate(`${many}, against Celery with confirm_publish`, 'tasks/s', figures.ours, figures.confirmed),
    rate(`${many}, against Celery's default, unconfirmed`, 'tasks/s', figures.ours, figures.default),
    rate(`${many}, against Celery, unconfirmed, ignore_result`, 'tasks/s', figures.ours, figures.ignoring),
    rate(`${many}, against amqplib`, 'tasks/s', figures.ours, figures.raw),
    rate(`${many}, trackSubmits: false, against amqplib`, 'tasks/s', figures.noteless, figures.raw),
    rate(`${batches}, against amqplib`, 'tasks/s', figures.batches, figures.raw),
    rate(`${each}, against amqplib`, 'tasks/s', figures.oursSingly, figures.rawSingly),
    rate(`${each}, trackSubmits: false, against amqplib`, 'tasks/s', figures.notelessSingly, figures.rawSingly),
    rate(`${each}, against Celery with confirm_publish`, 'tasks/s', figures.oursSingly, figures.confirmed),
  ];
}

async function overRedis({ redis, raw, python, queue, prefix }: CeleryStage): Promise<BenchLine[]> {
  const list = `${prefix}${queue}`;
  const measured = (count: number, work: () => Promise<unknown>) => async (): Promise<number> => {
    const figure = await perSecond(count, work);
    const stored = await raw.clear(list);
    if (stored < count) throw new Error(`${stored} of ${count} tasks are there`);
    return figure;
  };
  const figures = await alternating({
    ours: measured(TASKS, () => pipelined(TASKS, WINDOW, (done) => void submit(redis).then(() => done(), done))),
    raw: measured(TASKS, () => pipelined(TASKS, WINDOW, (done) => void raw.push(list).then(() => done(), done))),
    batches: measured(TASKS, () =>
      pipelined(TASKS / BATCH, 2, (done) => void redis.submitTasks(batch).then(() => done(), done)),
    ),
    python: async () => {
      const figure = await python.measure('redis', queue, PYTHON_TASKS);
      await raw.clear(list);
      return figure;
    },
  });
  const many = `Redis: submitTask, ${WINDOW} at a time`;
  return [
    rate(`${many}, against Celery`, 'tasks/s', figures.ours, figures.python),
    rate(`${many}, against ioredis`, 'tasks/s', figures.ours, figures.raw),
    rate(`Redis: submitTasks of ${BATCH}, two at a time, against ioredis`, 'tasks/s', figures.batches, figures.raw),
  ];
}

async function roundTrips({ rabbit, raw, python, prefix }: CeleryStage, queue: string): Promise<BenchLine[]> {
  const kinds = ['late', 'plain'] as const;
  const ours = { late: [] as number[], plain: [] as number[] };
  const byHand = { late: [] as number[], plain: [] as number[] };
  const once = async (call: (trip: number) => Promise<unknown>, trip: number): Promise<number> =>
    elapsed(async () => {
      if ((await call(trip)) !== trip + 1) throw new Error("another task's result");
    });
  for (let block = 0; block <= TRIPS.blocks; block += 1) {
    for (const kind of kinds) {
      const sides = [
        [
          ours,
          async (trip: number) =>
            rabbit.getResult(await rabbit.submitTask(`bench.${kind}`, { args: [trip, 1], queue })),
        ],
        [byHand, (trip: number) => raw.trip(queue, `bench.${kind}`, [trip, 1], prefix)],
      ] as const;
      for (const [times, call] of sides) {
        for (let trip = 0; trip < TRIPS.block; trip += 1) {
          const ms = await once(call, trip);
          if (block > 0) times[kind].push(ms);
        }
      }
      await python.measure(kind, queue, TRIPS.block);
    }
  }
  const lines: BenchLine[] = [];
  for (const kind of kinds) {
    for (const p of [50, 99]) {
      const theirs = await python.measure('percentile', kind, p);
      lines.push(
        time(`submit to result, ${kind} task, p${p}, against Celery`, 'ms', percentile(ours[kind], p), theirs),
        time(`the same by hand, against Celery`, 'ms', percentile(byHand[kind], p), theirs),
      );
    }
  }
  return lines;
}

/** In a process of its own, where nothing else is in the heap. */
async function waiters(amqp: string, prefix: string): Promise<BenchLine[]> {
  const child = fileURLToPath(new URL('celery-waiters.child.ts', import.meta.url));
  const command = ['--expose-gc', '--import', 'tsx', child, amqp, REDIS, prefix, String(WAITERS)];
  const { stdout } = await promisify(execFile)(process.execPath, command, { timeout: 300_000 });
  const found = JSON.parse(stdout) as { socketsBefore: number; socketsDuring: number; bytes: number; ms: number };
  const who = `${WAITERS.toLocaleString('en')} waiters`;
  return [
    time(`${who}: sockets with them, and without`, 'sockets', found.socketsDuring, found.socketsBefore),
    time(`${who}: heap of each`, 'bytes', found.bytes, null),
    time(`${who}: all results at once`, 'ms', found.ms, null),
  ];
}

async function submit(tasks: CeleryStage['rabbit']): Promise<void> {
  await tasks.submitTask('bench.rows', { args, kwargs });
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  return (count / (await elapsed(work))) * 1_000;
}
