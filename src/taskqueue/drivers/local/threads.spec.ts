import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTRACT_TASKS } from '../../taskqueue.contract.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';

let dir: string;
let plugin: LocalTaskQueuePlugin;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'taskqueue-threads-'));
  plugin = new LocalTaskQueuePlugin({ dataDir: ':memory:', workerThreads: 2, attemptLimit: 2, killGrace: 200 });
  await plugin.initialize();
});
afterEach(async () => {
  await plugin.shutdown();
  await rm(dir, { recursive: true, force: true });
});

/** Writes a task module and returns its path. */
async function moduleOf(name: string, source: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, source);
  return path;
}

const run = async (name: string, kwargs = {}): Promise<unknown> =>
  plugin.getResult(await plugin.submitTask(name, { kwargs }), { timeout: 15_000 });

describe('worker threads', () => {
  it('a task that computes leaves the event loop free', async () => {
    await plugin.registerTasks(CONTRACT_TASKS);
    const ticks: number[] = [];
    const timer = setInterval(() => ticks.push(performance.now()), 10);
    try {
      expect(await run('contract.spin', { ms: 2_000 })).toBe('spun');
    } finally {
      clearInterval(timer);
    }
    const gaps = ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? 0));
    expect(ticks.length).toBeGreaterThan(20);
    // On the event loop the gap would be the whole 2000 ms; what is left is the noise of a busy machine.
    expect(Math.max(...gaps)).toBeLessThan(1_500);
  });

  it('imports a module in threads, never in the main one', async () => {
    const path = await moduleOf(
      'where.mjs',
      `import { threadId } from 'node:worker_threads';
       globalThis.importedWhere = threadId;
       export default { where: () => threadId };`,
    );
    expect(await plugin.registerTasks(path)).toEqual(['where']);
    expect(await run('where')).not.toBe(threadId);
    expect(globalThis).not.toHaveProperty('importedWhere');
  });

  it('a task that ends its thread fails after attemptLimit with a clear message; its neighbour goes on', async () => {
    await plugin.registerTasks(CONTRACT_TASKS);
    const neighbour = run('contract.sleep', { ms: 1_500 });
    await expect(run('contract.exit', { times: 9 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: {
        type: 'WorkerLost',
        message: expect.stringMatching(/exited with code 3.*2 of 2 \(attemptLimit\)/) as string,
      },
    });
    expect(await neighbour).toBe('slept');
  });

  it('an exception outside the handler ends the thread, and the task says so', async () => {
    const path = await moduleOf(
      'crash.mjs',
      `export default { crash: () => new Promise(() => setTimeout(() => { throw new Error('out of the blue'); }, 10)) };`,
    );
    await plugin.registerTasks(path);
    await expect(run('crash')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'WorkerLost', message: expect.stringMatching(/out of the blue/) as string },
    });
  });

  it('options of a module task hold, and CommonJS modules work', async () => {
    const path = await moduleOf(
      'tasks.cjs',
      `let runs = 0;
       exports.__esModule = true;
       exports.default = {
         flaky: { retry: { attempts: 3, delay: 10 }, handler: ({ attempt }) => {
           if (attempt < 3) throw new Error('no');
           return attempt;
         } },
       };`,
    );
    expect(await plugin.registerTasks(path)).toEqual(['flaky']);
    expect(await run('flaky')).toBe(3);
  });

  it.each([
    ['no default export', `export const x = 1;`, /default export/],
    ['an empty default export', `export default {};`, /default export/],
    ['a task that is no function', `export default { broken: 1 };`, /"broken"/],
    ['a name that is none', `export default { 'a b': () => null };`, /task name/],
    ['a wrong retry policy', `export default { x: { handler() {}, retry: { attempts: 0 } } };`, /retry\.attempts/],
    ['an exception while it loads', `throw new Error('bad morning');`, /bad morning/],
    ['a missing import', `import './no-such-file.mjs'; export default { x() {} };`, /no-such-file/],
    ['an exit while it loads', `process.exit(4);`, /code 4/],
  ])('registerTasks refuses a module with %s', async (_what, source, message) => {
    const path = await moduleOf('module.mjs', source);
    await expect(plugin.registerTasks(path)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
    expect((await plugin.workers()).length).toBe(1);
  });
});
