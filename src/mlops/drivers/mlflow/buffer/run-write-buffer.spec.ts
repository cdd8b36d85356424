import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { param, point, pointText, ScriptedRuns, tag } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import type { BufferOptions } from './buffer.options.js';
import { RunWriteBuffer } from './run-write-buffer.js';

describe('RunWriteBuffer without a spool', () => {
  let server: ScriptedRuns;
  let buffer: RunWriteBuffer;
  beforeEach(() => {
    server = new ScriptedRuns();
  });
  afterEach(async () => {
    await buffer.close();
  });

  async function open(options: BufferOptions = {}): Promise<void> {
    buffer = await RunWriteBuffer.open(server, options);
  }

  const codes = async (writes: Promise<void>[]): Promise<string[]> => {
    const results = await Promise.allSettled(writes);
    return results.map((result) =>
      result.status === 'fulfilled' ? 'stored' : (result.reason as { code: string }).code,
    );
  };

  it('gathers 50 000 un-awaited points into about 50 requests, in order, one at a time', async () => {
    await open();
    const writes: Promise<void>[] = [];
    for (let step = 0; step < 50_000; step += 1) writes.push(buffer.write('r', point(step)));
    expect(buffer.status().buffered).toBe(50_000);
    await Promise.all(writes);
    expect(server.requests.length).toBeLessThanOrEqual(52);
    expect(server.peakPerRun).toBe(1);
    expect([...server.run('r').points]).toEqual(Array.from({ length: 50_000 }, (_, step) => pointText(step)));
    expect(buffer.status()).toMatchObject({ state: 'up', buffered: 0, spooled: 0, oldest: null, rejected: 0 });
  });

  it('gathers what arrives while a request is in flight, and the end comes after all of it', async () => {
    await open();
    server.delay = 30;
    const first = buffer.write('r', point(0));
    await sleep(10);
    const rest = [1, 2, 3].map((step) => buffer.write('r', point(step)));
    const inputs = buffer.logInputs('r', [{ name: 'd', digest: '1', sourceType: 'local', source: 'x' }]);
    const end = buffer.end('r', 'FINISHED', 5);
    await first;
    expect(server.run('r').points.size).toBe(1);
    await Promise.all([...rest, inputs, end]);
    expect(server.requests.map(({ items }) => items)).toEqual([1, 3, 1, 1]);
    expect(server.run('r')).toMatchObject({ status: 'FINISHED', pointsAtEnd: 4, inputs: ['d'] });
  });

  it('runs do not wait for each other, and no more than the given number of requests is made at once', async () => {
    await open({ concurrency: 3 });
    server.delay = 20;
    const runs = Array.from({ length: 9 }, (_, index) => `r${index}`);
    await Promise.all(runs.flatMap((runId) => [buffer.write(runId, point(0)), buffer.write(runId, point(1))]));
    expect(server.peak).toBe(3);
    expect(server.requests.length).toBe(9);
  });

  it('lingers for others when told to', async () => {
    await open({ linger: 40 });
    const writes = [buffer.write('r', point(0))];
    await sleep(10);
    writes.push(buffer.write('r', point(1)));
    await Promise.all(writes);
    expect(server.requests.length).toBe(1);
  });

  it('of a tag that is set many times the last value stays; params of one key go into requests of their own', async () => {
    await open();
    const tags = Array.from({ length: 500 }, (_, index) => buffer.write('r', tag('at', String(index))));
    await Promise.all(tags);
    expect(server.run('r').tags.get('at')).toBe('499');
    expect(await codes([buffer.write('r', param('p', '1')), buffer.write('r', param('p', '1'))])).toEqual([
      'stored',
      'stored',
    ]);
    expect(await codes([buffer.write('r', param('q', '1')), buffer.write('r', param('q', '2'))])).toEqual([
      'stored',
      'CONFLICT',
    ]);
  });

  it('a bad item costs its own caller an error and nobody else anything', async () => {
    await open();
    await buffer.write('r', param('lr', '1'));
    const bad = new Set([0, 17, 18, 400, 999]);
    const before = server.requests.length;
    const writes = Array.from({ length: 1_000 }, (_, step) =>
      buffer.write('r', point(step, bad.has(step) ? 'bad' : 'loss')),
    );
    const conflict = buffer.write('r', { ...point(2_000), params: [['lr', '2']], tags: [['never', 'x']] });
    const after = buffer.write('r', point(2_001));
    expect(await codes([...writes, conflict, after])).toEqual([
      ...Array.from({ length: 1_000 }, (_, step) => (bad.has(step) ? 'INVALID_ARGUMENT' : 'stored')),
      'CONFLICT',
      'stored',
    ]);
    expect(server.run('r').points.size).toBe(996);
    expect(server.run('r').points.has(pointText(2_000))).toBe(false);
    expect(server.run('r').tags.size).toBe(0);
    // About 2 log2(1000) requests for each of them.
    expect(server.requests.length - before).toBeLessThan(100);
  });

  it('a caller with more than a request holds is served in several, params first, and refused before the rest', async () => {
    await open();
    const metrics = Array.from({ length: 2_500 }, (_, step) => point(step).metrics).flat();
    const pairs = (count: number): [string, string][] => Array.from({ length: count }, (_, i) => [`k${i}`, 'v']);
    await buffer.write('r', { metrics, params: pairs(150), tags: pairs(250) });
    expect(server.run('r')).toMatchObject({ points: { size: 2_500 }, params: { size: 150 }, tags: { size: 250 } });
    const again = { metrics, params: [['k3', 'other']] as [string, string][], tags: [] };
    expect(await codes([buffer.write('s', param('k3', 'v')), buffer.write('s', again)])).toEqual([
      'stored',
      'CONFLICT',
    ]);
    expect(server.run('s').points.size).toBe(0);
  });

  it('when the run is gone all callers are told with one request', async () => {
    await open();
    server.deleted.add('r');
    const writes = Array.from({ length: 800 }, (_, step) => buffer.write('r', point(step)));
    expect(new Set(await codes(writes))).toEqual(new Set(['NOT_FOUND']));
    expect(server.requests.length).toBe(1);
  });

  it('rejects beyond what memory may hold, and takes writes again when there is room', async () => {
    await open({ maxBuffered: 100 });
    const writes = Array.from({ length: 150 }, (_, step) => buffer.write('r', point(step)));
    const results = await codes(writes);
    expect(results.filter((code) => code === 'stored').length).toBe(100);
    expect(results.slice(100)).toEqual(Array<string>(50).fill('UNAVAILABLE'));
    await buffer.write('r', point(500));
    const large = { ...point(0), metrics: Array.from({ length: 300 }, (_, step) => point(step, 'x').metrics).flat() };
    await buffer.write('r', large);
    expect(server.run('r').points.size).toBe(401);
  });

  it('bounds memory by bytes, too', async () => {
    await open({ maxBufferedBytes: 20_000 });
    const writes = Array.from({ length: 10 }, (_, index) => buffer.write('r', tag(`t${index}`, 'x'.repeat(5_000))));
    expect((await codes(writes)).filter((code) => code === 'stored').length).toBe(3);
  });

  it('an outage rejects who waits, without a request for each, and the next write tries anew', async () => {
    await open();
    server.goAway();
    const writes = Array.from({ length: 3_000 }, (_, step) => buffer.write('r', point(step)));
    expect(new Set(await codes(writes))).toEqual(new Set(['UNAVAILABLE']));
    expect(server.requests.length).toBe(1);
    expect(buffer.status()).toMatchObject({ state: 'away', buffered: 0, spooled: 0 });
    server.comeBack();
    await buffer.write('r', point(1));
    expect(buffer.status().state).toBe('up');
  });

  it('flush waits for what was written before it; close rejects what is under way and every further write', async () => {
    await open();
    server.delay = 30;
    const writes = [buffer.write('r', point(0)), buffer.write('s', point(0))];
    await buffer.flush();
    expect([server.run('r').points.size, server.run('s').points.size]).toEqual([1, 1]);
    await Promise.all(writes);
    const open0 = buffer.write('r', point(1));
    const flushed = buffer.flush('r');
    const outcome = codes([open0, flushed]);
    await buffer.close();
    expect(await outcome).toEqual(['CLOSED', 'CLOSED']);
    expect(await codes([buffer.write('r', point(2))])).toEqual(['CLOSED']);
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(buffer.settle('r')).rejects.toMatchObject({ code: 'CLOSED' });
    await buffer.drain(1_000);
  });
});
