import { execFile } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunWriteBuffer } from '../../src/mlops/drivers/mlflow/buffer/run-write-buffer.js';
import { FileRuns } from '../mlflow/buffer/file-runs.js';
import { killedChild } from './killed-child.js';
import { readLedger } from './ledger.js';
import { randomFrom, testSeed } from './seeded-random.js';

describe('write buffer and kill -9', () => {
  let root: string;
  beforeEach(async () => {
    Logger.overrideLogger(false);
    root = await mkdtemp(join(tmpdir(), 'hub-buffer-'));
  });
  afterEach(async () => {
    Logger.overrideLogger(true);
    await rm(root, { recursive: true, force: true });
  });

  it('two processes on one folder, killed again and again: what they acknowledged is on the server, in order', async () => {
    const seed = testSeed();
    console.log(`write buffer: HUB_TEST_SEED=${seed}`);
    const random = randomFrom(seed);
    const [folder, serverFile] = [join(root, 'spool'), join(root, 'server')];
    const acknowledged = new Map<string, number[]>();
    let inherited = 0;
    for (let round = 0; round < 3; round += 1) {
      const children = await Promise.all(
        ['x', 'y'].map((name) =>
          killedChild(
            'write-buffer.child.ts',
            [folder, serverFile, `${name}${round}`, Math.floor(random() * 2 ** 31)],
            400 + random() * 500,
          ),
        ),
      );
      for (const [event, first, step] of children.flatMap(({ ledger }) => ledger)) {
        if (event === 'ready') inherited += Number(first);
        else acknowledged.set(String(first), [...(acknowledged.get(String(first)) ?? []), Number(step)]);
      }
    }
    const file = openSync(serverFile, 'a');
    const buffer = await RunWriteBuffer.open(new FileRuns(file, () => 1), { spool: { folder } });
    inherited += buffer.status().spooled;
    await buffer.flush();
    expect(buffer.status()).toMatchObject({ spooled: 0, rejected: 0 });
    await buffer.close();
    closeSync(file);

    const stored = new Map<string, Set<number>>();
    for (const line of readFileSync(serverFile, 'utf8').trimEnd().split('\n')) {
      const [runId = '', ...steps] = line.split(' ');
      const known = stored.get(runId) ?? new Set<number>();
      for (const step of steps) known.add(Number(step));
      stored.set(runId, known);
    }
    const count = [...acknowledged.values()].flat().length;
    console.log(`write buffer: ${count} acknowledged writes of ${acknowledged.size} runs, ${inherited} inherited`);
    expect(acknowledged.size).toBe(18);
    expect(count).toBeGreaterThan(500);
    expect(inherited).toBeGreaterThan(0);
    for (const [runId, steps] of acknowledged) {
      const known = [...(stored.get(runId) ?? [])];
      expect(steps.filter((step) => !known.includes(step))).toEqual([]);
      // Of each step the first arrival counts: repeats change nothing on a server.
      expect(known).toEqual(known.toSorted((a, b) => a - b));
    }
  }, 90_000);

  it('a full disk refuses writes, loses none that was acknowledged, and hinders no replay', async () => {
    const child = fileURLToPath(new URL('./full-spool.child.ts', import.meta.url));
    // Files of at most 1 MB; without the trap the signal would end the process before SQLite sees the error.
    const script = 'trap "" XFSZ; ulimit -f 1000; exec "$0" --import tsx "$1" "$2"';
    const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, child, join(root, 'spool')], {
      timeout: 60_000,
    });
    const [full, ...rest] = readLedger(stdout);
    const [, acknowledged = 0, refused = 0] = full ?? [];
    expect(Number(acknowledged)).toBeGreaterThan(1_000);
    expect(Number(refused)).toBe(20_000 - Number(acknowledged));
    expect(Number(refused)).toBeGreaterThan(1_000);
    expect(rest).toEqual([
      ['back', 0, 'equal'],
      ['live', 'stored'],
    ]);
  }, 70_000);
});
