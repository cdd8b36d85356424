import { describe, expect, it, vi } from 'vitest';
import { Logger } from '@nestjs/common';
import { param, point, pointText, tag } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { caught, SpooledBuffers } from '../../../../../test/mlflow/buffer/spooled-buffers.js';
import { HubError } from '../../../../core/errors.js';
import { RunWriteBuffer } from './run-write-buffer.js';

const RETRY = { delay: 20, factor: 2, maxDelay: 100, jitter: 0.5 };
const SOON = { timeout: 10_000, interval: 5 };

describe('RunWriteBuffer with a spool', () => {
  const buffers = new SpooledBuffers(RETRY);

  const steps = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
  const pointsOf = (runId: string): string[] => [...buffers.server.run(runId).points];
  const texts = (from: number, to: number): string[] => steps(from, to).map((step) => pointText(step));
  const writeAll = async (buffer: RunWriteBuffer, from: number, to: number): Promise<void> => {
    await Promise.all(steps(from, to).map((step) => buffer.write('r', point(step))));
  };

  it('spools while the server is away, says so, and replays in order and in full batches when it is back', async () => {
    const buffer = await buffers.open();
    await writeAll(buffer, 0, 10);
    buffers.server.goAway();
    await writeAll(buffer, 10, 3_000);
    const { state, reason, buffered, spooled, spooledBytes, oldest } = buffer.status();
    expect({ state, buffered, spooled }).toEqual({ state: 'away', buffered: 0, spooled: 2_990 });
    expect(reason).toContain('ECONNREFUSED');
    expect(spooledBytes).toBeGreaterThan(2_990 * 100);
    expect(Math.abs(Date.now() - (oldest ?? 0))).toBeLessThan(10_000);
    await buffer.end('r', 'FINISHED', 7);
    expect(buffers.server.run('r').points.size).toBe(10);
    const before = buffers.server.requests.length;
    buffers.server.comeBack();
    await expect.poll(() => buffer.status().spooled, SOON).toBe(0);
    expect(pointsOf('r')).toEqual(texts(0, 3_000));
    expect(buffers.server.run('r')).toMatchObject({ status: 'FINISHED', pointsAtEnd: 3_000 });
    expect(buffers.server.requests.length - before).toBeLessThan(10);
    expect(buffer.status()).toMatchObject({ state: 'up', spooledBytes: 0, oldest: null });
    await writeAll(buffer, 3_000, 3_001);
    expect(buffer.status().spooled).toBe(0);
  });

  it('while the server is known to be away writes do not wait for a time-out each', async () => {
    const buffer = await buffers.open({ retry: { delay: 5_000 } });
    buffers.server.delay = 300;
    buffers.server.fault = () => ({ error: new HubError('TIMEOUT', 'no answer') });
    await buffer.write('r', point(0));
    const began = performance.now();
    for (const step of steps(1, 200)) await buffer.write(step % 2 === 0 ? 'r' : 's', point(step));
    expect(performance.now() - began).toBeLessThan(250);
    expect(buffer.status().spooled).toBe(200);
    expect(buffers.server.requests.length).toBe(1);
  });

  it('a lost answer doubles nothing', async () => {
    const buffer = await buffers.open();
    buffers.server.fault = ({ number }) =>
      number % 2 === 0 ? { error: new HubError('UNAVAILABLE', 'socket hang up'), after: true } : undefined;
    await Promise.all([
      ...steps(0, 1_500).map((step) => buffer.write('r', point(step))),
      buffer.write('r', param('p', '1')),
      buffer.write('r', tag('t', 'a')),
      buffer.write('r', tag('t', 'b')),
      buffer.end('r', 'FAILED', 9),
    ]);
    await expect.poll(() => buffer.status().spooled, SOON).toBe(0);
    expect(pointsOf('r')).toEqual(texts(0, 1_500));
    expect(buffers.server.run('r')).toMatchObject({ status: 'FAILED', pointsAtEnd: 1_500 });
    expect([buffers.server.run('r').params.get('p'), buffers.server.run('r').tags.get('t')]).toEqual(['1', 'b']);
  });

  it('replays what a process left, with every kind of write as it was', async () => {
    const first = await buffers.open();
    buffers.server.goAway();
    const values = [NaN, Number.MAX_VALUE, -0.1, 5e-324, 1e21];
    const metrics = values.map((value, step) => ({ key: 'ünï/k', value, timestamp: 1_700_000_000_000, step: -step }));
    await first.write('r', { metrics, params: [['p', '"\n\u0000 ü']], tags: [['t', '']] });
    await first.logInputs('r', [{ name: 'd', digest: '1', sourceType: 'local', source: 'x' }]);
    await first.end('r', 'KILLED', 8);
    await first.close();
    buffers.server.comeBack();
    const second = await buffers.open();
    expect(second.status().spooled).toBe(3);
    await second.flush();
    const run = buffers.server.run('r');
    expect([...run.points]).toEqual(values.map((value, step) => `ünï/k ${-step} 1700000000000 ${value}`));
    expect([run.params.get('p'), run.tags.get('t'), run.inputs, run.status]).toEqual([
      '"\n\u0000 ü',
      '',
      ['d'],
      'KILLED',
    ]);
  });

  it('flush and settle try at once, and say how many writes are still spooled', async () => {
    const buffer = await buffers.open({ retry: { delay: 60_000 } });
    buffers.server.goAway();
    await writeAll(buffer, 0, 30);
    await buffer.write('s', point(0));
    const requests = buffers.server.requests.length;
    expect(await caught(buffer.settle('r'))).toMatchObject({ code: 'UNAVAILABLE', details: { spooled: 30 } });
    expect(buffers.server.requests.length).toBe(requests + 1);
    const failed = await caught(buffer.flush());
    expect(failed).toMatchObject({ code: 'UNAVAILABLE', details: { spooled: 31 } });
    expect((failed as Error).message).toMatch(/^31 writes are still spooled.*ECONNREFUSED/);
    expect(buffers.server.requests.length).toBe(requests + 2);
    await expect(buffer.settle('other')).resolves.toBeUndefined();
    buffers.server.comeBack();
    await buffer.settle('s');
    expect(pointsOf('s')).toEqual(texts(0, 1));
    await buffer.flush();
    expect(pointsOf('r')).toEqual(texts(0, 30));
  });

  it('keeps aside what the server refuses on replay, and stores all the rest', async () => {
    const buffer = await buffers.open();
    await buffer.write('r', param('lr', '1'));
    buffers.server.goAway();
    await writeAll(buffer, 0, 100);
    await buffer.write('r', param('lr', 'secret-2'));
    await buffer.write('r', point(100, 'bad'));
    await buffer.write('gone', point(0));
    await buffer.write('gone', point(1));
    await writeAll(buffer, 100, 200);
    buffers.server.deleted.add('gone');
    const logged = vi.spyOn(Logger.prototype, 'error');
    buffers.server.comeBack();
    expect(await caught(buffer.flush())).toMatchObject({ code: 'CONFLICT' });
    expect(pointsOf('r')).toEqual(texts(0, 200));
    expect(buffer.status()).toMatchObject({ spooled: 0, rejected: 4 });
    const lines = logged.mock.calls.map(([line]) => String(line));
    logged.mockRestore();
    expect(lines.length).toBe(3);
    expect(lines.join('\n')).toMatch(/refused 2 spooled writes of run gone \(NOT_FOUND\)/);
    expect(lines.join('\n')).not.toContain('secret-2');
    const rejected = buffer.rejected();
    expect(rejected.map(({ runId, code }) => `${runId} ${code}`).toSorted()).toEqual([
      'gone NOT_FOUND',
      'gone NOT_FOUND',
      'r CONFLICT',
      'r INVALID_ARGUMENT',
    ]);
    const conflict = rejected.find(({ code }) => code === 'CONFLICT');
    expect(conflict).toMatchObject({ kind: 'batch', reason: expect.stringContaining('param lr') as string });
    expect(JSON.parse(conflict?.content ?? '')).toEqual({ metrics: [], params: [['lr', 'secret-2']], tags: [] });
    await buffer.close();
    const next = await buffers.open();
    expect(next.status().rejected).toBe(4);
    expect([next.forget(conflict?.id ?? -1), next.forget(conflict?.id ?? -1)]).toEqual([true, false]);
    expect(next.status().rejected).toBe(3);
    await expect(next.flush()).resolves.toBeUndefined();
  });

  it('what the server refuses on replay fails a flush, and no read of one run or of all', async () => {
    for (const [runId, work] of [
      ['one', (buffer: RunWriteBuffer) => buffer.settle('one')],
      ['all', (buffer: RunWriteBuffer) => buffer.settle()],
    ] as const) {
      const buffer = await buffers.open({ retry: { delay: 60_000 } });
      buffers.server.goAway();
      await Promise.all([buffer.write(runId, point(0)), buffer.write('r', point(0))]);
      buffers.server.deleted.add(runId);
      expect(await caught(work(buffer))).toMatchObject({ code: 'UNAVAILABLE' });
      buffers.server.comeBack();
      await expect(work(buffer)).resolves.toBeUndefined();
      expect(buffer.rejected()).toMatchObject([{ runId, code: 'NOT_FOUND' }]);
      expect(buffer.forget(buffer.rejected()[0]?.id ?? -1)).toBe(true);
      buffers.server.goAway();
      await buffer.write(runId, point(1));
      buffers.server.comeBack();
      expect(await caught(buffer.flush())).toMatchObject({ code: 'CONFLICT' });
      expect(buffer.forget(buffer.rejected()[0]?.id ?? -1)).toBe(true);
      await buffer.close();
    }
  });

  it('credentials that are refused for a while cost no acknowledged write', async () => {
    const buffer = await buffers.open();
    buffers.server.goAway();
    await writeAll(buffer, 0, 5);
    buffers.server.fault = () => ({ error: new HubError('UNAUTHORIZED', 'the token has expired') });
    const requests = buffers.server.requests.length;
    await expect.poll(() => buffers.server.requests.length, SOON).toBeGreaterThan(requests + 1);
    expect(buffer.status()).toMatchObject({
      spooled: 5,
      rejected: 0,
      reason: expect.stringContaining('token') as string,
    });
    buffers.server.comeBack();
    await expect.poll(() => pointsOf('r').length, SOON).toBe(5);
  });
});
