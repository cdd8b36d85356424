import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LedgerLine } from '../../durability/ledger.js';
import { FaultLog } from './fault-log.js';
import { HealthWatch } from './health-watch.js';
import { TaskLedger } from './task-ledger.js';

describe('the instruments of the chaos test see what is wrong', () => {
  it('health that says up while Redis is away, and down while it is there', async () => {
    let [healthy, there] = [true, false];
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy, details: {} }) }, async () => there);
    await pause(500);
    [healthy, there] = [false, true];
    await pause(500);
    await watch.stop();
    expect(watch.falseUp).toBeGreaterThan(200);
    expect(watch.falseDown).toBeGreaterThan(200);
  });

  it('health that is right', async () => {
    let there = true;
    const watch = new HealthWatch({ healthCheck: async () => ({ healthy: there, details: {} }) }, async () => there);
    await pause(300);
    there = false;
    await pause(300);
    await watch.stop();
    expect([watch.falseUp, watch.falseDown]).toEqual([0, 0]);
    expect(watch.samples.map(({ healthy }) => healthy)).toContain(false);
    await expect(watch.up(50)).rejects.toThrow('health did not say up within 50 ms');
  });

  const ledgerOf = (lines: LedgerLine[], other: LedgerLine[] = []): TaskLedger => {
    const submitter: LedgerLine[] = ['a', 'b', 'c'].map((id) => ['submitting', id]);
    submitter.push(['acknowledged', 'a'], ['acknowledged', 'b']);
    return new TaskLedger(new Map([...Object.entries({ worker: lines, submitter, other })]));
  };

  it('tasks that are lost, and executions of what was never submitted', () => {
    const ledger = ledgerOf([
      ['began', 'a', 1],
      ['began', 'c', 1],
      ['ended', 'c', 2, 0],
      ['ended', 'b', 3, 0],
      ['began', 'z', 4],
    ]);
    expect(ledger.acknowledged).toEqual(['a', 'b']);
    expect(ledger.unsure).toBe(1);
    expect(ledger.lost).toEqual(['a', 'b']);
    expect(ledger.faults).toEqual(['worker: b ended and had not begun', 'worker: began z, which was never submitted']);
  });

  it('what ran twice, with and without an excuse', () => {
    const faults = new FaultLog();
    Object.assign(faults.begin('killed', ['worker']), { began: 10_000, over: 12_000 });
    const ledger = ledgerOf(
      [
        // Long before the fault, and to its end.
        ['began', 'a', 5_000],
        ['ended', 'a', 5_005, 2],
        // In the middle of it.
        ['began', 'b', 9_999],
        // The fault is not one of the other worker's.
        ['began', 'c', 30_000],
        ['ended', 'c', 30_005, 2],
      ],
      [
        ['began', 'a', 11_000],
        ['began', 'b', 11_000],
        ['began', 'c', 11_000],
      ],
    );
    expect(ledger.duplicates).toBe(3);
    const { excused, unexcused } = ledger.judge(faults);
    expect([...excused]).toEqual([['killed', 1]]);
    expect(unexcused.map((text) => text.slice(0, 11))).toEqual(['a ran again', 'c ran again']);
  });
});
