import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { DataStreamPlugin } from '../../../src/datastream/index.js';
import { HealthWatch } from './health-watch.js';
import { MessageLedger } from './message-ledger.js';

describe('the instruments of the chaos tests see what is wrong', () => {
  it('health that says up without a consumer, and down with one', async () => {
    let [healthy, consumers] = [true, 0];
    const plugin = { healthCheck: async () => ({ healthy, details: {} }) } as unknown as DataStreamPlugin;
    const watch = new HealthWatch(plugin, 'any', { consumers: async () => consumers });
    await pause(500);
    [healthy, consumers] = [false, 1];
    await pause(500);
    await watch.stop();
    expect(watch.falseUp).toBeGreaterThan(200);
    expect(watch.falseDown).toBeGreaterThan(200);
  });

  it('messages that are lost, changed or invented', async () => {
    const ledger = new MessageLedger();
    for (const id of ['a', 'b']) {
      ledger.began.set(id, 1);
      ledger.confirmed.set(id, { began: 1, ended: 2 });
    }
    ledger.arrived('a', 'a');
    ledger.arrived('a', 'a');
    expect(ledger.lost()).toEqual(['b']);
    expect(ledger.duplicates).toBe(1);
    expect(ledger.faults).toEqual([]);
    ledger.arrived('b', 'a');
    ledger.arrived('c', 'c');
    expect(ledger.faults).toEqual(['b carries "a"', 'c was never sent']);
    await expect(ledger.next(20)).rejects.toThrow('nothing was consumed within 20 ms');
  });
});
