/**
 * Waits for many tasks at once, and prints as JSON: open sockets before and during, bytes of heap for each waiter, and the
 * ms until all have a result that comes for all at once. Arguments: broker, Redis, prefix, how many.
 */
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { TaskQueueModule, TaskQueuePlugin } from 'nestjs-experiment-hub';
import { open } from './open.js';

const [, , brokerUrl = '', backendUrl = '', prefix = '', count = ''] = process.argv;
const WAITERS = Number(count);
const config = { brokerUrl, backendUrl, keyPrefix: prefix, defaultQueue: prefix.slice(0, -1) };
const app = await open(TaskQueueModule.forRoot({ type: 'celery', config }));
const tasks = app.get(TaskQueuePlugin);
const redis = new Redis(backendUrl);
const ids = await tasks.submitTasks(Array.from({ length: WAITERS }, () => ({ name: 'bench.none' })));
const channel = (id: string): string => `${prefix}celery-task-meta-${id}`;
const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
const heap = async (): Promise<number> => {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await setTimeout(50);
  }
  return process.memoryUsage().heapUsed;
};
/** Waits until every task is subscribed to. */
const followed = async (): Promise<void> => {
  for (const end = Date.now() + 60_000; Date.now() < end; await setTimeout(100)) {
    const channels = (await redis.pubsub('CHANNELS', channel('*'))) as string[];
    if (channels.length === WAITERS) return;
  }
  throw new Error('the waiters do not listen after 60 s');
};

const before = { sockets: sockets(), heap: await heap() };
const results = ids.map((id) => tasks.getResult(id, { timeout: 300_000 }));
await followed();
const during = { sockets: sockets(), heap: await heap() };
const start = performance.now();
const writes = redis.pipeline();
for (const id of ids) {
  const meta = { status: 'SUCCESS', result: id, traceback: null, children: [], date_done: null, task_id: id };
  writes.set(channel(id), JSON.stringify(meta), 'PX', 60_000).publish(channel(id), JSON.stringify(meta));
}
await writes.exec();
const found = await Promise.all(results);
const ms = performance.now() - start;
if (found.some((result, index) => result !== ids[index])) throw new Error("another task's result");
console.log(
  JSON.stringify({
    socketsBefore: before.sockets,
    socketsDuring: during.sockets,
    bytes: (during.heap - before.heap) / WAITERS,
    ms,
  }),
);
redis.disconnect();
await app.close();
