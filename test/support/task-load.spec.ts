import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubError } from '../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/index.js';
import { readLedgerFiles } from './ledger-file.js';
import { TaskLedger } from './task-ledger.js';
import { TaskLoad, type LoadTask } from './task-load.js';

/** A load of single tasks, on a queue that answers as the test has it. */
class Load extends TaskLoad {
  constructor(folder: string, submitTask: () => Promise<string>) {
    super({ submitTask } as unknown as TaskQueuePlugin, folder, () => 0.5, { batch: 1, single: 0 });
  }

  protected task(number: number): LoadTask {
    return { name: 'any', taskId: `t-${number}`, args: [] };
  }

  protected async ended(): Promise<boolean> {
    return true;
  }
}

describe('a load of tasks', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-load-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('submits again, with the same ids, what a fault made the queue reject', async () => {
    let calls = 0;
    const load = new Load(folder, async () => {
      if ((calls += 1) === 1) throw new HubError('UNAVAILABLE', 'away');
      return 'id';
    });
    load.start();
    await load.back('ended', 0, 10_000, 'the fault');
    await load.end();
    expect([...load.rejected]).toEqual([['UNAVAILABLE', 1]]);
    const ledger = new TaskLedger(readLedgerFiles(folder));
    expect([ledger.repeated, ledger.unsure, ledger.acknowledged.length]).toEqual([1, 0, load.acknowledged]);
  });

  it('ends with the error of a submit that no fault explains', async () => {
    const load = new Load(folder, async () => {
      throw new HubError('CONFLICT', 'wrong');
    });
    load.start();
    await expect(load.reached(1, 10_000)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(load.end()).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
