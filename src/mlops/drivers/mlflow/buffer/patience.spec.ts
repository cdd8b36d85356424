import { describe, expect, it } from 'vitest';
import { point } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { caught, SpooledBuffers } from '../../../../../test/mlflow/buffer/spooled-buffers.js';
import { HubError } from '../../../../core/errors.js';
import { answerError } from '../mlflow.errors.js';
import type { RunWriteBuffer } from './run-write-buffer.js';

const RETRY = { delay: 20, factor: 2, maxDelay: 100 };
const LONG = 60_000;
const STILL_SPOOLED = { code: 'UNAVAILABLE' };

describe('RunWriteBuffer, waited for while the server fails', () => {
  const buffers = new SpooledBuffers(RETRY);

  const writeTo = async (buffer: RunWriteBuffer, ...runIds: string[]): Promise<void> => {
    await Promise.all(runIds.map((runId) => buffer.write(runId, point(0))));
  };

  it('a flush and reads live through a short outage', async () => {
    const buffer = await buffers.open({ patience: LONG });
    buffers.server.goAway();
    await writeTo(buffer, 'a', 'b', 'c');
    const waiting = [buffer.flush(), buffer.flush('a'), buffer.settle('b'), buffer.settle()];
    const { length } = buffers.server.requests;
    await expect.poll(() => buffers.server.requests.length, { timeout: 5_000 }).toBeGreaterThan(length + 5);
    buffers.server.comeBack();
    await Promise.all(waiting);
    expect(['a', 'b', 'c'].map((runId) => buffers.server.run(runId).points.size)).toEqual([1, 1, 1]);
  });

  it('one request that fails on the way costs a flush nothing', async () => {
    const buffer = await buffers.open({ patience: LONG });
    buffers.server.goAway();
    await writeTo(buffer, ...Array.from({ length: 40 }, (_, run) => `r${run}`));
    const after = buffers.server.requests.length;
    buffers.server.fault = ({ number }) =>
      (number - after) % 7 === 3 ? { error: new HubError('TIMEOUT', 'no answer') } : undefined;
    await buffer.flush();
    expect(buffer.status()).toMatchObject({ state: 'up', spooled: 0 });
  });

  it('when the outage lasts, all who wait are told, and those who come later at once', async () => {
    const buffer = await buffers.open({ patience: 200 });
    buffers.server.goAway();
    const runs = Array.from({ length: 40 }, (_, run) => `r${run}`);
    const began = performance.now();
    await writeTo(buffer, ...runs);
    const tries = buffers.server.requests.length + runs.length;
    const waiting = [buffer.flush(), buffer.settle(), ...runs.map((run) => buffer.settle(run))].map(caught);
    for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject(STILL_SPOOLED);
    // After one try each, no run has to find out for itself that it lasts.
    expect(buffers.server.requests.length).toBeLessThan(tries + runs.length / 2);
    // Up to one wait of the policy beyond it: the outage is known to last by a request that fails.
    expect(performance.now() - began).toBeGreaterThanOrEqual(199);
    const { length } = buffers.server.requests;
    expect(await caught(buffer.settle('r7'))).toMatchObject({ ...STILL_SPOOLED, details: { spooled: 1 } });
    // Its own, and one by which the server was just being tried.
    expect(buffers.server.requests.length).toBeLessThanOrEqual(length + 2);
    buffers.server.comeBack();
    await buffer.flush();
    buffers.server.goAway();
    // The next outage is a new one.
    const anew = performance.now();
    await writeTo(buffer, 'r0');
    expect(await caught(buffer.flush())).toMatchObject(STILL_SPOOLED);
    expect(performance.now() - anew).toBeGreaterThanOrEqual(199);
  });

  it('one run that fails while others work is waited for as long, and no longer', async () => {
    const buffer = await buffers.open({ patience: 200 });
    await writeTo(buffer, 'a');
    const request = { method: 'POST', path: 'runs/log-batch', server: 'http://h:5000' };
    const broken = answerError({ status: 503, body: '', ...request });
    let works = false;
    buffers.server.fault = ({ runId }) => (runId === 'b' && !works ? { error: broken } : undefined);
    const began = performance.now();
    await writeTo(buffer, 'b');
    const others = setInterval(() => void writeTo(buffer, 'a'), 5);
    try {
      expect(await caught(buffer.settle('b'))).toMatchObject(STILL_SPOOLED);
      expect(performance.now() - began).toBeGreaterThanOrEqual(199);
      works = true;
      await buffer.settle('b');
    } finally {
      clearInterval(others);
    }
  });

  it('requests that fail side by side are one failure for the next try', { timeout: 30_000 }, async () => {
    const buffer = await buffers.open({ retry: { delay: 50, factor: 20, maxDelay: LONG } });
    buffers.server.delay = 5;
    buffers.server.goAway();
    await writeTo(buffer, 'a', 'b', 'c', 'd');
    expect(buffers.server.peak).toBe(4);
    const { requests } = buffers.server;
    await expect.poll(() => requests.length > 4 && buffers.server.active === 0, { timeout: 5_000 }).toBe(true);
    buffers.server.comeBack();
    // A second; four failures would make it a minute.
    await expect.poll(() => buffer.status().spooled, { timeout: 20_000, interval: 5 }).toBe(0);
  });
});
