// Submits, runs and cancels tasks without pause until it is killed. Arguments: folder, round, seed.
import './silent-log.js';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { report } from './ledger.js';
import { randomFrom } from './seeded-random.js';
import { hasThreads } from './task-ledger.js';

const [, , dataDir = '', round = '', seed = ''] = process.argv;
const random = randomFrom(Number(seed));
// Threads get a copy of it.
process.env['HUB_TEST_HANG'] = 'yes';
const tasks = new LocalTaskQueuePlugin({ dataDir, workerThreads: 1 });
await tasks.initialize();
await tasks.registerTask('add', async ({ taskId, attempt, args: [a, b] }) => {
  report('ran', taskId, attempt);
  if (random() < 0.5) await setTimeout(random() * 10);
  return Number(a) + Number(b);
});
await tasks.registerTask('hang', async ({ taskId, attempt, progress }) => {
  report('ran', taskId, attempt);
  for (let beat = 0; ; beat += 1) {
    await progress(beat);
    report('progress', taskId, beat);
    await setTimeout(5);
  }
});
const withThreads = hasThreads(Number(round));
if (withThreads) await tasks.registerTasks(new URL('./thread-tasks.ts', import.meta.url));

let submitted = 0;

async function submit(name: string, options: { countdown?: number } = {}): Promise<string> {
  const number = (submitted += 1);
  const taskId = `r${round}-${number}`;
  report('submitting', taskId, name, number + 1);
  await tasks.submitTask(name, { ...options, taskId, args: [number, 1] });
  report('submitted', taskId);
  return taskId;
}

async function finish(name: string): Promise<void> {
  const taskId = await submit(name);
  report('result', taskId, await tasks.getResult<number>(taskId));
}

async function cancel(): Promise<void> {
  const taskId = await submit('later', { countdown: 3_600_000 });
  report('cancelling', taskId);
  report('cancelled', taskId, await tasks.cancel(taskId));
}

async function follow(name: string): Promise<never> {
  const taskId = await submit(name);
  for await (const { attempt, data } of tasks.progress(taskId)) {
    report('ran', taskId, attempt);
    report('progress', taskId, Number(data));
  }
  throw new Error(`${taskId} ended before it was killed`);
}

async function forever(work: () => Promise<unknown>): Promise<never> {
  for (;;) {
    await work();
    await setImmediate();
  }
}

// The worker thread computes for a while, and then hangs in its last task.
const threads = async () => {
  const sums = Math.floor(random() * 10);
  for (let sum = 0; sum < sums; sum += 1) await finish('thread.add');
  await follow('thread.hang');
};
await Promise.all([
  forever(() => finish('add')),
  forever(() => finish('add')),
  forever(() => submit('add')),
  forever(cancel),
  withThreads ? threads() : undefined,
  submit('hang'),
  submit('hang'),
]);
