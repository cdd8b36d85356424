import { describe, expect, it } from 'vitest';
import type { LedgerLine } from '../durability/ledger.js';
import { FaultLog } from './fault-log.js';
import { TaskLedger } from './task-ledger.js';

describe('a ledger of tasks sees', () => {
  const ledgerOf = (lines: LedgerLine[], other: LedgerLine[] = []): TaskLedger => {
    const submitter: LedgerLine[] = ['a', 'b', 'c'].map((id) => ['submitting', id, 1_000]);
    submitter.push(['acknowledged', 'a', 1_001], ['submitting', 'b', 1_001], ['acknowledged', 'b', 1_002]);
    return new TaskLedger(new Map([...Object.entries({ worker: lines, submitter, other })]));
  };

  it('tasks that are lost, and executions of what was never submitted', () => {
    const ledger = ledgerOf([
      ['began', 'a', 1, 1, 7],
      ['began', 'c', 1, 1, 7],
      ['ended', 'c', 2, 0, 7],
      ['ended', 'b', 3, 0, 7],
      ['began', 'z', 4, 1, 7],
    ]);
    expect(ledger.acknowledged).toEqual(['a', 'b']);
    expect([ledger.unsure, ledger.repeated]).toEqual([1, 1]);
    expect(ledger.lost()).toEqual(['a', 'b']);
    expect(ledger.lost(['b', 'c'])).toEqual(['b']);
    expect(ledger.faults).toEqual(['worker: b ended and had not begun', 'worker: began z, which was never submitted']);
  });

  it('what ran twice, with and without an excuse', () => {
    const faults = new FaultLog();
    Object.assign(faults.begin('killed', ['worker']), { began: 10_000, over: 12_000 });
    const ledger = ledgerOf(
      [
        // Long before the fault, and to its end.
        ['began', 'a', 5_000, 1, 7],
        ['ended', 'a', 5_005, 2, 7],
        // In the middle of it.
        ['began', 'b', 9_999, 1, 7],
        // The fault is not one of the other worker's.
        ['began', 'c', 30_000, 1, 7],
        ['ended', 'c', 30_005, 2, 7],
      ],
      [
        ['began', 'a', 11_000, 1, 8],
        ['began', 'b', 11_000, 1, 8],
        ['began', 'c', 11_000, 1, 8],
      ],
    );
    expect(ledger.duplicates).toBe(3);
    const { excused, unexcused } = ledger.judge(faults);
    expect([...excused]).toEqual([['killed', 1]]);
    expect(unexcused.map((text) => text.slice(0, 11))).toEqual(['a ran again', 'c ran again']);
  });
});
