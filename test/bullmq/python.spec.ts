import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../support/bullmq-room.js';
import { LeashedProcess } from '../support/leashed-process.js';
import { neededService } from '../support/needed-service.js';
import { run } from '../support/run-command.js';

const redis = neededService('redis');
const python = neededService('python');
const missing = redis.missing || python.missing;

/** Most time that Python takes for a task, its start included, in ms. */
const TIMEOUT = 60_000;

describe.skipIf(missing)(`BullMQ in Python and the hub${redis.note}${python.note}`, { timeout: 120_000 }, () => {
  let room: BullMQRoom;
  let folder: string;
  let worker: LeashedProcess | undefined;

  beforeEach(async () => {
    room = new BullMQRoom(redis.address);
    folder = await mkdtemp(join(tmpdir(), 'hub-bullmq-'));
  });
  afterEach(async () => {
    await worker?.kill();
    worker = undefined;
    await room.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function startWorker(): Promise<void> {
    const script = fileURLToPath(new URL('../../examples/python-bullmq-worker/worker.py', import.meta.url));
    const env = { ...process.env, REDIS_URL: room.url, BULLMQ_PREFIX: room.prefix, QUEUE: 'python' };
    const output = join(folder, 'output.log');
    worker = await LeashedProcess.start(python.address, [script], { env, cwd: folder, output, litter: folder });
  }

  it('the example worker serves tasks of the hub: result, progress, failure, retry, revocation', async () => {
    const plugin = await room.plugin();
    await startWorker();
    const kwargs = { steps: 3 };
    const args = [
      [1, 2],
      [2, 4],
    ];
    const taskId = await plugin.submitTask('fit', { args, kwargs, queue: 'python', priority: 5 });
    const reports: unknown[] = [];
    for await (const { sequence, attempt, data } of plugin.progress(taskId)) reports.push({ sequence, attempt, data });
    const output = await readFile(join(folder, 'output.log'), 'utf8');
    expect(output).toBe('');
    const last = { step: 3, of: 3, a: 1.75 };
    expect(reports.at(-1)).toEqual({ sequence: 3, attempt: 1, data: last });
    expect(await plugin.getResult(taskId, { timeout: TIMEOUT })).toEqual({ a: 1.75 });
    expect(await plugin.getStatus(taskId)).toMatchObject({ name: 'fit', state: 'SUCCESS', attempt: 1 });

    const none = await plugin.submitTask('nothing', { queue: 'python' });
    expect(await plugin.getResult(none, { timeout: TIMEOUT })).toBeNull();

    const retry = { attempts: 2, delay: 20 };
    const failing = await plugin.submitTask('fail', { kwargs: { message: 'on purpose' }, queue: 'python', retry });
    await expect(plugin.getResult(failing, { timeout: TIMEOUT })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      details: { type: 'ValueError', message: 'on purpose', stack: expect.stringContaining('Traceback') as string },
    });
    expect((await plugin.getStatus(failing)).attempt).toBe(2);

    const revoked = await plugin.submitTask('revoke', { queue: 'python' });
    await expect(plugin.getResult(revoked, { timeout: TIMEOUT })).rejects.toMatchObject({ code: 'TASK_REVOKED' });
  });

  it('a task of the hub runs for a job that Python adds', async () => {
    const plugin = await room.plugin();
    await plugin.registerTask('ours', ({ args, kwargs, headers }) => ({ args: [...args], kwargs, headers }));
    const script = fileURLToPath(new URL('submit_job.py', import.meta.url));
    await run(python.address, [script, room.url, room.prefix, 'default', 'from-python'], { timeout: TIMEOUT });
    const called = { args: [1, 'two'], kwargs: { three: 3 }, headers: { from: 'python' } };
    expect(await plugin.getResult('from-python', { timeout: TIMEOUT })).toEqual(called);
  });
});
