import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LeashedProcess } from './leashed-process.js';

const CHILD = fileURLToPath(new URL('./leashed-process.child.ts', import.meta.url));
const DEADLINE = { timeout: 15_000 };

describe('leashed process', () => {
  let folder: string;
  let output: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-leash-'));
    output = join(folder, 'output.log');
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  it('ends, with its group and its litter, when the process that started it is killed', async () => {
    const litter = join(folder, 'litter');
    await mkdir(litter);
    const parent = spawn(process.execPath, ['--import', 'tsx', CHILD, folder, litter], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await vi.waitFor(async () => expect(await readFile(output, 'utf8')).toMatch(/^\d+\n$/), DEADLINE);
    const grandchild = Number(await readFile(output, 'utf8'));
    expect([lives(pid), lives(grandchild), existsSync(litter)]).toEqual([true, true, true]);
    parent.kill('SIGKILL');
    await vi.waitFor(() => {
      expect([lives(pid), lives(grandchild), existsSync(litter)]).toEqual([false, false, false]);
    }, DEADLINE);
  });

  it('is killed when it does not stop in time', async () => {
    const stubborn = ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'];
    const started = await LeashedProcess.start('sh', stubborn, { env: process.env, cwd: folder, output });
    await vi.waitFor(async () => expect(await readFile(output, 'utf8')).toBe('ready\n'), DEADLINE);
    await expect(started.stop(200)).rejects.toThrow('did not end within 200 ms');
    expect(started.ended).toBe(true);
    await started.kill();
    await started.stop(200);
  });

  it('says which command cannot be run', async () => {
    const options = { env: process.env, cwd: folder, output };
    await expect(LeashedProcess.start('no-such-command', [], options)).rejects.toThrow('no-such-command');
  });
});

/** Whether a process runs; one that ended counts as gone, also where nobody asks for its result. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self/stat') || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
