import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HubError } from '../../../src/core/errors.js';
import type { LedgerLine } from '../../durability/ledger.js';
import { FaultLog } from '../../support/fault-log.js';
import { TaskLedger } from '../../support/task-ledger.js';
import { ExecutionTail } from './execution-tail.js';
import { RedisLog } from './redis-log.js';
import { HUB, submitExcuse } from './submit-excuse.js';
import { TimedResults } from './timed-results.js';

describe('the instruments of the chaos test of Celery see what is wrong', () => {
  it('a getResult that does not end, and one that ends late', async () => {
    const results = new TimedResults({
      getResult: async <T>(taskId: string): Promise<T> => {
        await pause(taskId === 'late' ? 600 : 10_000);
        throw new HubError('TIMEOUT', 'late');
      },
    });
    expect(await results.get('late', 100)).toMatchObject({ code: 'TIMEOUT' });
    expect(results.latest).toBeGreaterThan(400);
    expect(await results.get('never', 100)).toEqual({ code: 'HUNG' });
    expect([results.calls, results.hung]).toEqual([2, 1]);
  });

  it('whether all runs of a task had ended, while the ledger grows', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hub-tail-'));
    try {
      const tail = new ExecutionTail(folder);
      const ledger = join(folder, 'worker-1.ledger');
      await writeFile(ledger, '["began","a",1,1,7]\n["ended","a",5,2,7]\n["began","b",2,1,8]\n["en');
      expect(tail.endedBefore('a', 5)).toBe(true);
      expect(tail.endedBefore('a', 4)).toBe(false);
      expect(tail.endedBefore('b', 9)).toBe(false);
      expect(tail.endedBefore('c', 9)).toBe(false);
      await appendFile(ledger, 'ded","b",6,2,8]\n["began","a",7,2,7]\n');
      expect(tail.endedBefore('b', 9)).toBe(true);
      expect(tail.endedBefore('a', 9)).toBe(false);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('what ran twice, with the excuses of a fault and of its submits, and without', () => {
    const faults = new FaultLog();
    Object.assign(faults.begin('killed', ['worker']), { began: 10_000, over: 12_000 });
    Object.assign(faults.begin('cut', [HUB]), { began: 60_000, over: 62_000 });
    const run = (id: string, at: number): LedgerLine[] => [
      ['began', id, at, 1, 7],
      ['ended', id, at + 5, 0, 7],
    ];
    const ledger = ledgerOf(
      [...run('a', 5_000), ['began', 'b', 9_999, 1, 7], ...run('g', 30_000), ...run('d', 61_000), ...run('e', 70_000)],
      [...run('a', 40_000), ...run('b', 11_000), ...run('g', 40_000), ...run('d', 63_500), ...run('e', 70_000)],
    );
    expect(ledger.duplicates).toBe(5);
    const { excused, unexcused } = ledger.judge(faults, (task) => submitExcuse(task, faults));
    expect([...excused]).toEqual([
      ['killed', 1],
      ['sent again', 1],
      ['submitted again', 1],
    ]);
    expect(unexcused.map((text) => text.slice(0, 11))).toEqual(['a ran again', 'g ran again']);
  });

  it('a task that was taken out of the list of a broker on Redis and lost', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hub-log-'));
    try {
      await mkdir(join(folder, 'appendonlydir'));
      const [lost, kept] = ['lost', 'kept'].map((id) => JSON.stringify({ properties: { correlation_id: id } }));
      const commands = [
        ['LPUSH', 'celery', lost, kept],
        ['RPOP', 'celery'],
        ['RPOP', 'celery'],
        ['HSET', 'unacked', 'tag', `[${kept}]`],
      ];
      const text = commands.map(resp).join('');
      await writeFile(join(folder, 'appendonlydir', 'appendonly.aof.1.incr.aof'), `${text}*2\r\n$5\r\nLPU`);
      const log = await RedisLog.read(folder);
      expect(['lost', 'kept', 'never'].map((id) => log.lostByWorker(id))).toEqual([true, false, false]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

function ledgerOf(lines: LedgerLine[], other: LedgerLine[]): TaskLedger {
  const submitter: LedgerLine[] = ['a', 'b', 'c', 'g'].map((id) => ['submitting', id, 1_000]);
  submitter.push(['submitting', 'd', 59_000], ['submitting', 'e', 65_000], ['submitting', 'e', 66_000]);
  submitter.push(['acknowledged', 'a', 1_001], ['acknowledged', 'b', 1_001], ['acknowledged', 'g', 1_001]);
  return new TaskLedger(new Map([...Object.entries({ worker: lines, submitter, other })]));
}

function resp(words: (string | undefined)[]): string {
  return `*${words.length}\r\n${words.map((word = '') => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
