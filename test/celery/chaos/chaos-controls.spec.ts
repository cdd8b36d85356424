import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HubError } from '../../../src/core/errors.js';
import { FaultLog } from '../../bullmq/chaos/fault-log.js';
import type { LedgerLine } from '../../durability/ledger.js';
import { neededService } from '../../support/needed-service.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { ExecutionTail } from './execution-tail.js';
import { HealthWatch, type HealthTruth } from './health-watch.js';
import { serverAnswers } from './port-truth.js';
import { RedisLog } from './redis-log.js';
import { HUB, TaskLedger } from './task-ledger.js';
import { TimedResults } from './timed-results.js';

const rabbitmq = neededService('rabbitmq');
const redis = neededService('redis');

describe('the instruments of the chaos test of Celery see what is wrong', () => {
  it('health that says up while something is away, and down while all is there and works', async () => {
    let healthy = true;
    let truth: HealthTruth = { away: 'results', working: true };
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy, details: {} }) }, async () => truth);
    await pause(1_200);
    [healthy, truth] = [false, { away: '', working: true }];
    await pause(1_200);
    await watch.stop();
    expect(watch.falseUp).toBeGreaterThan(400);
    expect(watch.falseDown).toBeGreaterThan(400);
  });

  it('health that is right, also while workers are not back yet', async () => {
    let healthy = true;
    let truth: HealthTruth = { away: '', working: true };
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy, details: {} }) }, async () => truth);
    await pause(600);
    [healthy, truth] = [false, { away: 'broker', working: true }];
    await pause(600);
    truth = { away: '', working: false };
    await pause(600);
    await watch.stop();
    expect([watch.falseUp, watch.falseDown]).toEqual([0, 0]);
    expect(watch.samples.filter((sample) => !sample.healthy).length).toBeGreaterThan(2);
    await expect(watch.up(50)).rejects.toThrow('health did not say up within 50 ms');
  });

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

  it('tasks that are lost, and executions of what was never submitted', () => {
    const ledger = ledgerOf([
      ['began', 'a', 1, 1, 7],
      ['began', 'c', 1, 1, 7],
      ['ended', 'c', 2, 0, 7],
      ['ended', 'b', 3, 0, 7],
      ['began', 'z', 4, 1, 7],
    ]);
    expect(ledger.acknowledged).toEqual(['a', 'b', 'g']);
    expect(ledger.lost(['a', 'b', 'c'])).toEqual(['a', 'b']);
    expect(ledger.faults).toEqual(['worker: b ended and had not begun', 'worker: began z, which was never submitted']);
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

  it('what ran twice, with and without an excuse', () => {
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
    const { excused, unexcused } = ledger.judge(faults);
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

  for (const [kind, service] of [
    ['rabbitmq', rabbitmq],
    ['redis', redis],
  ] as const) {
    it.skipIf(service.missing)(
      `a ${kind} that answers, is silent, refuses, or is something else${service.note}`,
      async () => {
        const { hostname, port } = new URL(service.address);
        const proxy = await TcpProxy.start(Number(port), hostname);
        try {
          expect(await serverAnswers(kind, proxy.port)).toBe(true);
          expect(await serverAnswers(kind === 'redis' ? 'rabbitmq' : 'redis', proxy.port)).toBe(false);
          proxy.freeze();
          expect(await serverAnswers(kind, proxy.port)).toBe(false);
          proxy.refuse();
          expect(await serverAnswers(kind, proxy.port)).toBe(false);
        } finally {
          proxy.stop();
        }
      },
    );
  }
});

function ledgerOf(lines: LedgerLine[], other: LedgerLine[] = []): TaskLedger {
  const submitter: LedgerLine[] = ['a', 'b', 'c', 'g'].map((id) => ['submitting', id, 1_000]);
  submitter.push(['submitting', 'd', 59_000], ['submitting', 'e', 65_000], ['submitting', 'e', 66_000]);
  submitter.push(['acknowledged', 'a', 1_001], ['acknowledged', 'b', 1_001], ['acknowledged', 'g', 1_001]);
  return new TaskLedger(new Map([...Object.entries({ worker: lines, submitter, other })]));
}

function resp(words: (string | undefined)[]): string {
  return `*${words.length}\r\n${words.map((word = '') => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
