import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExperimentStatus } from '../../src/index.js';
import { experimentAnswer } from '../../src/api/schemas/experiment.schemas.js';
import { toy } from '../experiment/stack.js';
import { adapters, ApiApp } from './api-app.js';

/** Longest wait for a training, in ms. */
const TRAINED = 60_000;

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('experiments over HTTP on %s', (adapter) => {
  let api: ApiApp;

  beforeAll(async () => {
    api = await ApiApp.open({
      adapter,
      experiments: [
        toy(),
        toy({ name: 'off', enabled: false }),
        toy({
          name: 'judged',
          promotion: { mode: 'manual' },
          streams: { input: 'judged.in', output: 'judged.out' },
          policy: { threshold: 0.9, window: 2, cooldown: 0 },
          params: { url: 'http://someone:canary-password@host/x', size: 3 },
          data: { quality: 0.5, bias: 1, password: 'canary-data' },
        }),
      ],
    });
  });
  afterAll(() => api.close());

  const train = async (name: string, body?: unknown): Promise<{ runId: string; location: string }> => {
    const answer = await api.post<{ runId: string }>(`/api/experiments/${name}/train`, body);
    expect(answer.status).toBe(202);
    const location = answer.headers.get('location') ?? '';
    expect(location).toBe(`/api/experiments/${name}/runs/${answer.body.runId}`);
    await vi.waitFor(async () => expect((await api.get(location)).body['status']).toBe('FINISHED'), {
      timeout: TRAINED,
      interval: 50,
    });
    return { runId: answer.body.runId, location };
  };
  const status = async (name: string): Promise<ExperimentStatus> =>
    (await api.get<ExperimentStatus>(`/api/experiments/${name}/status`)).body;

  it('lists the definitions, page by page', async () => {
    const first = await api.get<{ items: { name: string }[]; next: string }>('/api/experiments?limit=2');
    expect(first.body.items.map(({ name }) => name)).toEqual(['toy', 'off']);
    const second = await api.get(`/api/experiments?limit=2&cursor=${first.body.next}`);
    expect(second.body).toEqual({ items: [expect.objectContaining({ name: 'judged' })], next: null });
  });

  it('shows a definition, with neither its data nor passwords', async () => {
    const { status: code, body } = await api.get('/api/experiments/judged');
    expect([code, body['tasks'], body['streams'], body['policy']]).toMatchObject([
      200,
      { train: 'toy.train', predict: 'toy.predict', evaluate: 'toy.evaluate' },
      { input: 'judged.in', output: 'judged.out' },
      { threshold: 0.9, window: 2 },
    ]);
    expect(experimentAnswer.validate(body).error).toBeUndefined();
    expect(body['params']).toEqual({ url: 'http://[redacted]@host/x', size: 3 });
    expect(JSON.stringify(body)).not.toContain('canary');
  });

  it('trains, predicts, takes feedback, promotes and rolls back', { timeout: 4 * TRAINED }, async () => {
    expect(await api.problem('POST', '/api/experiments/toy/retrain')).toMatchObject({ status: 409, code: 'CONFLICT' });
    expect(await api.problem('POST', '/api/experiments/toy/predict', { rows: [1] })).toMatchObject({ status: 409 });
    expect(await api.problem('POST', '/api/experiments/toy/feedback', { items: [{ value: 1 }] })).toMatchObject({
      status: 409,
    });
    expect(await api.problem('POST', '/api/experiments/toy/rollback')).toMatchObject({ status: 409 });

    const { runId } = await train('toy', { params: { depth: 3 }, triggerId: 'first', at: 1_000 });
    await vi.waitFor(async () => expect((await status('toy')).champion?.version).toBe('1'), {
      timeout: TRAINED,
      interval: 50,
    });
    expect(await status('toy')).toMatchObject({ lastTraining: { runId, trigger: { id: 'first', at: 1_000 } } });

    const predicted = await api.post('/api/experiments/toy/predict', { rows: [1, 2] });
    expect(predicted).toMatchObject({
      status: 200,
      body: { model: { name: 'toy', version: '1' }, predictions: [2, 3], errors: {} },
    });
    const failed = await api.problem('POST', '/api/experiments/toy/predict', { rows: ['x'] });
    expect(failed).toMatchObject({ status: 422, code: 'TASK_FAILED' });
    expect(failed.detail).toContain('a row has to be a number');
    expect(JSON.stringify(failed)).not.toMatch(/\.ts|at \w+ \(/);

    const feedback = await api.post('/api/experiments/toy/feedback', { items: [{ value: 0.25 }, { value: 0.75 }] });
    expect(feedback).toMatchObject({ status: 200, body: { samples: 2, value: 0.5, training: null } });
    expect(await api.problem('POST', '/api/experiments/toy/feedback', { items: [{}] })).toMatchObject({ status: 400 });

    // A better one passes the gate; then back and forth by hand.
    await train('toy', { data: { bias: 10, quality: 0.9 } });
    await vi.waitFor(async () => expect((await status('toy')).champion?.version).toBe('2'), {
      timeout: TRAINED,
      interval: 50,
    });
    expect((await api.post('/api/experiments/toy/rollback')).body).toEqual({ name: 'toy', version: '1' });
    expect((await api.post('/api/experiments/toy/promote', { version: '2' })).body).toEqual({
      name: 'toy',
      version: '2',
    });
    expect((await api.post('/api/experiments/toy/predict', { rows: [1], version: '1' })).body).toMatchObject({
      predictions: [2],
    });
    expect(await api.problem('POST', '/api/experiments/toy/promote', { version: '9' })).toMatchObject({ status: 404 });
    expect((await api.post('/api/experiments/toy/cancel')).body).toEqual({ outcome: 'finished' });
  });

  it('feedback that a policy acts on answers with the training', { timeout: 2 * TRAINED }, async () => {
    await train('judged', {});
    const { version } = { version: '1' };
    await vi.waitFor(
      async () => expect((await api.post('/api/experiments/judged/promote', { version })).status).toBe(200),
      { timeout: TRAINED, interval: 50 },
    );
    const { body } = await api.post('/api/experiments/judged/feedback', {
      items: [
        { predicted: 'a', actual: 'b', at: Date.now() },
        { value: 0, at: Date.now() + 1 },
      ],
    });
    expect(body).toMatchObject({ samples: 2, value: 0, training: { trigger: { reason: 'policy' } } });
    const training = body['training'] as { runId: string };
    expect((await api.get(`/api/experiments/judged/runs/${training.runId}`)).status).toBe(200);
  });

  it('one that is not defined is 404, one that is switched off 409, for every command', async () => {
    const bodies: Record<string, unknown> = {
      train: undefined,
      retrain: undefined,
      cancel: undefined,
      rollback: undefined,
      predict: { rows: [] },
      feedback: { items: [{ value: 1 }] },
      promote: { version: '1' },
    };
    for (const [command, body] of Object.entries(bodies)) {
      const of = (name: string) => api.problem('POST', `/api/experiments/${name}/${command}`, body);
      expect(await of('nobody'), command).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      expect(await of('off'), command).toMatchObject({ status: 409, code: 'CONFLICT' });
    }
    expect(await api.problem('GET', '/api/experiments/nobody')).toMatchObject({ status: 404 });
    expect(await api.problem('GET', '/api/experiments/nobody/status')).toMatchObject({ status: 404 });
    expect(await status('off')).toMatchObject({ enabled: false, champion: null });
  });
});
