import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { point, pointText, type ScriptedRequest } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { caught, SpooledBuffers } from '../../../../../test/mlflow/buffer/spooled-buffers.js';
import { HubError } from '../../../../core/errors.js';
import { answerError } from '../mlflow.errors.js';
import { RunWriteBuffer } from './run-write-buffer.js';

const RETRY = { delay: 10, factor: 2, maxDelay: 40, jitter: 0.5 };
const SOON = { timeout: 10_000, interval: 5 };

/** An answer as the client reports it; with `errorCode` it is MLflow's own. */
function answer(status: number, errorCode?: string, retryAfter?: number): HubError {
  const body = errorCode === undefined ? '<html>no</html>' : JSON.stringify({ error_code: errorCode, message: 'no' });
  const request = { method: 'POST', path: '/api/2.0/mlflow/runs/log-batch', server: 'http://h:5000' };
  return answerError({ status, body, ...request, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

describe('answers of a server that is not quite there', () => {
  const buffers = new SpooledBuffers(RETRY);

  const pointsOf = (runId: string): string[] => [...buffers.server.run(runId).points];
  const requestsOf = (runId: string): ScriptedRequest[] =>
    buffers.server.requests.filter((made) => made.runId === runId);
  /** The server fails at every request of `runId` while `when` holds. */
  const poison = (runId: string, error: HubError, when: (request: ScriptedRequest) => boolean = () => true): void => {
    buffers.server.fault = (request) => (request.runId === runId && when(request) ? { error } : undefined);
  };
  /** Writes to other runs until `done`. */
  const busy = async (buffer: RunWriteBuffer, done: () => boolean): Promise<Set<string>> => {
    const states = new Set<string>();
    for (let step = 0; step < 2_000 && !done(); step += 1) {
      await buffer.write('other', point(step));
      await new Promise((resolve) => setTimeout(resolve, 2));
      states.add(buffer.status().state);
    }
    return states;
  };

  it.each([400, 404, 405, 409, 501])(
    'a plain %i condemns no acknowledged write and is no error to a caller',
    async (status) => {
      const buffer = await buffers.open();
      buffers.server.goAway();
      await Promise.all([buffer.write('r', point(0)), buffer.write('s', point(0))]);
      buffers.server.fault = () => ({ error: answer(status) });
      const before = buffers.server.requests.length;
      await expect.poll(() => buffers.server.requests.length, SOON).toBeGreaterThan(before + 2);
      expect(buffer.status()).toMatchObject({ state: 'away', spooled: 2, rejected: 0 });
      buffers.server.comeBack();
      await buffer.flush();
      buffers.server.fault = () => ({ error: answer(status) });
      await buffer.write('r', point(1));
      expect(buffer.status()).toMatchObject({ state: 'away', spooled: 1, rejected: 0 });
      buffers.server.comeBack();
      await buffer.flush();
      expect(pointsOf('r')).toEqual([pointText(0), pointText(1)]);
    },
  );

  it('a 413 and answers of MLflow are final, refused credentials are told to who waits', async () => {
    const buffer = await buffers.open();
    for (const error of [answer(413), answer(404, 'ENDPOINT_NOT_FOUND'), answer(401)]) {
      buffers.server.fault = () => ({ error });
      expect(await caught(buffer.write('r', point(0)))).toBe(error);
    }
    buffers.server.goAway();
    await buffer.write('r', point(0));
    buffers.server.fault = () => ({ error: answer(413) });
    await expect.poll(() => buffer.status().rejected, SOON).toBe(1);
  });

  it('a write that the server always fails at is kept aside, and all others of its run are stored', async () => {
    const buffer = await buffers.open();
    let bad = false;
    const logBatch = buffers.server.logBatch.bind(buffers.server);
    vi.spyOn(buffers.server, 'logBatch').mockImplementation((runId, batch) => {
      if (runId === 'r') bad = batch.metrics.some(({ key }) => key === 'poison');
      return logBatch(runId, batch);
    });
    buffers.server.goAway();
    for (let step = 0; step < 40; step += 1) await buffer.write('r', point(step, step === 17 ? 'poison' : 'loss'));
    await buffer.end('r', 'FINISHED', 1);
    poison('r', answer(500, 'INTERNAL_ERROR'), () => bad);
    const states = await busy(buffer, () => buffer.status().rejected > 0);
    await buffer.settle();
    expect(buffer.rejected()).toMatchObject([
      { runId: 'r', code: 'UNAVAILABLE', content: expect.stringContaining('poison') as string },
    ]);
    expect(buffers.server.run('r')).toMatchObject({ status: 'FINISHED', pointsAtEnd: 39 });
    expect(states.has('up')).toBe(true);
  });

  it('with nothing else to judge by it takes 30 s, and in an outage that is all 500s few are given up', async () => {
    const buffer = await buffers.open();
    buffers.server.fault = () => ({ error: answer(500, 'INTERNAL_ERROR') });
    for (let step = 0; step < 20; step += 1) await buffer.write('r', point(step));
    await expect.poll(() => requestsOf('r').length, SOON).toBeGreaterThan(8);
    expect(buffer.status()).toMatchObject({ spooled: 20, rejected: 0 });
    const real = performance.now.bind(performance);
    let ahead = 31_000;
    vi.spyOn(performance, 'now').mockImplementation(() => real() + ahead);
    await expect.poll(() => buffer.status().rejected, SOON).toBe(1);
    const made = buffers.server.requests.length;
    await expect.poll(() => buffers.server.requests.length, SOON).toBeGreaterThan(made + 8);
    ahead += 31_000;
    const later = buffers.server.requests.length;
    await expect.poll(() => buffers.server.requests.length, SOON).toBeGreaterThan(later + 4);
    expect(buffer.status()).toMatchObject({ spooled: 19, rejected: 1 });
    buffers.server.comeBack();
    await buffer.flush();
    expect(pointsOf('r').length).toBe(19);
  });

  it('a server that says "later" in its own words condemns nothing', async () => {
    const buffer = await buffers.open();
    poison('r', answer(503, 'TEMPORARILY_UNAVAILABLE'));
    await buffer.write('r', point(0));
    await busy(buffer, () => requestsOf('r').length > 7);
    expect(buffer.status()).toMatchObject({ spooled: 1, rejected: 0 });
  });

  it('without a spool only the caller of such a write pays, once it is known', async () => {
    const buffer = buffers.closeAfter(await RunWriteBuffer.open(buffers.server, { retry: RETRY }));
    poison('r', answer(500, 'INTERNAL_ERROR'), ({ items }) => items !== 1);
    const batch = { ...point(9, 'poison'), params: [['p', 'v']] as [string, string][] };
    for (let round = 0; round < 5; round += 1) {
      expect(await caught(buffer.write('r', batch))).toMatchObject({ code: 'UNAVAILABLE' });
    }
    await buffer.write('other', point(0));
    const writes = [buffer.write('r', point(0)), buffer.write('r', batch), buffer.write('r', point(1))];
    const results = await Promise.all(writes.map(caught));
    expect(results).toEqual([undefined, expect.objectContaining({ code: 'UNAVAILABLE' }), undefined]);
    expect(pointsOf('r')).toEqual([pointText(0), pointText(1)]);
  });

  it.each([answer(503, 'TEMPORARILY_UNAVAILABLE'), answer(403, 'PERMISSION_DENIED')])(
    'one run that fails does not make the server away for the others, nor a search fail ($message)',
    async (error) => {
      const buffer = await buffers.open();
      buffers.server.goAway();
      await buffer.write('r', point(0));
      poison('r', error);
      await busy(buffer, () => requestsOf('r').length >= 4 && buffer.status().state === 'up');
      const warned = vi.spyOn(Logger.prototype, 'warn');
      const made = requestsOf('r').length;
      const states = await busy(buffer, () => requestsOf('r').length >= made + 4);
      expect([...states]).toEqual(['up']);
      expect(warned).not.toHaveBeenCalled();
      await expect(buffer.settle()).resolves.toBeUndefined();
      expect(await caught(buffer.settle('r'))).toMatchObject({ code: 'UNAVAILABLE', details: { spooled: 1 } });
      buffers.server.goAway();
      await buffer.write('other', point(9_999));
      expect(await caught(buffer.settle())).toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  it('a search still waits for what an outage has left, however long it was', async () => {
    const buffer = await buffers.open();
    buffers.server.goAway();
    await Promise.all(['r', 's'].map((runId) => buffer.write(runId, point(0))));
    await expect.poll(() => Math.min(requestsOf('r').length, requestsOf('s').length), SOON).toBeGreaterThan(4);
    buffers.server.comeBack();
    buffers.server.delay = 20;
    await buffer.settle('r');
    await buffer.settle();
    expect(pointsOf('s')).toEqual([pointText(0)]);
  });

  it('asks no sooner than the server wants to be asked', async () => {
    const buffer = await buffers.open();
    buffers.server.fault = () => ({ error: answer(429, 'REQUEST_LIMIT_EXCEEDED', 600) });
    const began = performance.now();
    await buffer.write('r', point(0));
    buffers.server.comeBack();
    await expect.poll(() => pointsOf('r').length, SOON).toBe(1);
    expect(performance.now() - began).toBeGreaterThanOrEqual(595);
  });
});
