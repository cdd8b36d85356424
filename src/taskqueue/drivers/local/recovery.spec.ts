import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../core/contract.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PLUGIN = new URL('./local.plugin.ts', import.meta.url).href;

let dir: string;
let child: ChildProcess | undefined;
let plugin: LocalTaskQueuePlugin | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'taskqueue-kill-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await plugin?.shutdown();
  await rm(dir, { recursive: true, force: true });
});

/** Runs `body` in a process of its own, with an open `plugin` and `note(text)`, which writes to the ledger. */
async function run(body: string): Promise<ChildProcess> {
  const script = join(dir, 'child.mjs');
  await writeFile(
    script,
    `import { writeFileSync } from 'node:fs';
     import { LocalTaskQueuePlugin } from ${JSON.stringify(PLUGIN)};
     const note = (text) => writeFileSync(${JSON.stringify(join(dir, 'ledger'))}, text);
     const plugin = new LocalTaskQueuePlugin({ dataDir: ${JSON.stringify(dir)} });
     await plugin.initialize();
     ${body}`,
  );
  const started = spawn(process.execPath, ['--import', 'tsx', script], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  child = started;
  return started;
}

async function ledger(): Promise<string> {
  return readFile(join(dir, 'ledger'), 'utf8').catch(() => '');
}

async function killed(running: ChildProcess): Promise<void> {
  running.kill('SIGKILL');
  const [, signal] = (await once(running, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

async function open(attemptLimit = 5): Promise<LocalTaskQueuePlugin> {
  plugin = new LocalTaskQueuePlugin({ dataDir: dir, attemptLimit });
  await plugin.initialize();
  return plugin;
}

const HANG = `await plugin.registerTask('hang', async ({ attempt }) => {
  note('attempt ' + attempt);
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
await plugin.submitTask('hang', { taskId: 'victim', args: [7] });`;

describe('kill -9', () => {
  it('a task whose process was killed runs again as attempt 2', async () => {
    const running = await run(HANG);
    await eventually(async () => (await ledger()) === 'attempt 1', 'the task starts in the child', 15_000);
    await killed(running);
    const tasks = await open();
    const { state, attempt, error } = await tasks.getStatus('victim');
    expect({ state, attempt, type: error?.type }).toEqual({ state: 'RETRY', attempt: 1, type: 'WorkerLost' });
    await tasks.registerTask('hang', (task) => ({ attempt: task.attempt, args: [...task.args] }));
    expect(await tasks.getResult('victim', { timeout: 10_000 })).toEqual({ attempt: 2, args: [7] });
  });

  it('a task that has used up attemptLimit is FAILURE', async () => {
    const running = await run(HANG);
    await eventually(async () => (await ledger()) === 'attempt 1', 'the task starts in the child', 15_000);
    await killed(running);
    const tasks = await open(1);
    await expect(tasks.getResult('victim', { timeout: 1_000 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'WorkerLost' },
    });
  });

  it('a running task that was cancelled before the kill does not run again', async () => {
    const running = await run(`${HANG}
      setTimeout(async () => note(await plugin.cancel('victim')), 300);`);
    await eventually(async () => (await ledger()) === 'requested', 'the task is cancelled in the child', 15_000);
    await killed(running);
    const tasks = await open();
    await expect(tasks.getResult('victim', { timeout: 1_000 })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
  });

  it('every acknowledged submit is there', async () => {
    const running = await run(`for (let n = 0; ; n += 1) {
      await plugin.submitTask('nobody', { taskId: 'task-' + n });
      note(String(n));
    }`);
    await eventually(async () => Number(await ledger()) > 200, 'some tasks are acknowledged', 15_000);
    await killed(running);
    const last = Number(await ledger());
    const tasks = await open();
    const names = await Promise.all(Array.from({ length: last + 1 }, (_, n) => tasks.getStatus(`task-${n}`)));
    expect(names.filter(({ name }) => name !== 'nobody')).toEqual([]);
  });
});

it('nothing keeps the process alive after shutdown', async () => {
  const running = await run(`
    await plugin.registerTask('hang', () => new Promise(() => undefined), { timeLimit: 500_000 });
    await plugin.registerTasks(${JSON.stringify(new URL('../../contract/contract-tasks.ts', import.meta.url).href)});
    await plugin.submitTask('hang');
    await plugin.submitTask('contract.spin', { kwargs: { ms: 500_000 } });
    await plugin.submitTask('contract.nothing', { countdown: 500_000, expires: 500_000 });
    const progress = plugin.progress(await plugin.submitTask('contract.nothing', { eta: new Date(Date.now() + 1e11) }));
    progress.next().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 500));
    note(JSON.stringify((await plugin.healthCheck()).details));
    await plugin.shutdown();`);
  const [code] = (await once(running, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect(JSON.parse(await ledger())).toMatchObject({ active: 2, delayed: 2 });
});
