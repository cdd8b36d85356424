import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TaskQueueModule, TaskQueuePlugin } from '../../src/index.js';
import { NestFactory } from '@nestjs/core';
import { compiled } from '../support/compiled-child.js';

describe('draining after a real SIGTERM', () => {
  let folder: string;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-drain-'));
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('readiness goes 503 while HTTP answers, the task in flight finishes, and the process exits with 0', async () => {
    const app = fileURLToPath(new URL('./drain.app.ts', import.meta.url));
    child = spawn(process.execPath, [...compiled(), app, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    await expect.poll(() => output, { timeout: 30_000 }).toMatch(/listening \S+\n/);
    const base = /listening (\S+)/.exec(output)?.[1] ?? '';
    const status = async (path: string) => (await fetch(base + path)).status;

    expect(await status('/health/ready')).toBe(200);
    const { taskId } = (await (await fetch(`${base}/tasks`, { method: 'POST' })).json()) as { taskId: string };
    await expect.poll(() => output, { timeout: 5_000 }).toContain(`started ${taskId}`);

    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await expect.poll(() => status('/health/ready'), { timeout: 1_500, interval: 20 }).toBe(503);
    expect(await status('/health')).toBe(503);
    expect(await status('/health/live')).toBe(200);
    expect(await status('/')).toBe(200);
    expect(output).not.toContain('finished');

    expect(await exited).toEqual([0, null]);
    expect(output).toContain(`finished ${taskId}`);
    const module = TaskQueueModule.forRoot({ config: { dataDir: folder } });
    const after = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    expect(await after.get(TaskQueuePlugin).getStatus(taskId)).toMatchObject({ state: 'SUCCESS', attempt: 1 });
    await after.close();
  }, 60_000);
});
