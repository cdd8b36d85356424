import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TaskContext } from '../../src/index.js';
import { adapters, ApiApp } from './api-app.js';

/** Ends when it is cancelled. */
const patient = ({ signal }: TaskContext): Promise<void> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
  );

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('tasks over HTTP on %s', (adapter) => {
  let api: ApiApp;

  beforeAll(async () => {
    api = await ApiApp.open({
      adapter,
      tasks: {
        echo: ({ args, kwargs }) => ({ args, kwargs }),
        slow: patient,
        fail: () => {
          throw new TypeError('a reason at amqp://someone:canary-password@host');
        },
        secret: () => 'never asked for',
      },
    });
  });
  afterAll(() => api.close());

  const submit = async (body: object): Promise<string> => {
    const answer = await api.post<{ taskId: string }>('/api/tasks', body);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/tasks/${answer.body.taskId}`);
    return answer.body.taskId;
  };

  it('submits by name, and gives status and result', async () => {
    const taskId = await submit({
      name: 'echo',
      args: [1, null],
      kwargs: { a: { b: 'c' } },
      taskId: `own-id.${adapter}`,
    });
    expect(taskId).toBe(`own-id.${adapter}`);
    const result = await api.get(`/api/tasks/${taskId}/result?wait=30000`);
    expect(result).toMatchObject({
      status: 200,
      body: { taskId, result: { args: [1, null], kwargs: { a: { b: 'c' } } } },
    });
    expect(await api.get(`/api/tasks/${taskId}`)).toMatchObject({
      status: 200,
      body: { taskId, name: 'echo', state: 'SUCCESS', attempt: 1, error: null },
    });
  });

  it('one that has not ended answers 202 with its status, after the wait, and can be cancelled', async () => {
    const taskId = await submit({ name: 'slow' });
    expect(await api.get(`/api/tasks/${taskId}/result?wait=20`)).toMatchObject({ status: 202, body: { taskId } });
    expect(await api.get(`/api/tasks/${taskId}/result`)).toMatchObject({ status: 202, body: { taskId } });
    expect((await api.post(`/api/tasks/${taskId}/cancel`)).body['outcome']).toMatch(/cancelled|requested/);
    await vi.waitFor(async () => expect((await api.get(`/api/tasks/${taskId}`)).body['state']).toBe('REVOKED'), {
      timeout: 30_000,
      interval: 50,
    });
    expect(await api.problem('GET', `/api/tasks/${taskId}/result`)).toMatchObject({
      status: 409,
      code: 'TASK_REVOKED',
    });
    expect((await api.post(`/api/tasks/${taskId}/cancel`)).body).toEqual({ outcome: 'finished' });
  });

  it('one that failed is 422, with its message and without stack or password', async () => {
    const taskId = await submit({ name: 'fail' });
    const problem = await api.problem('GET', `/api/tasks/${taskId}/result?wait=30000`);
    expect(problem).toMatchObject({ status: 422, code: 'TASK_FAILED', detail: expect.stringContaining('a reason') });
    const status = (await api.get(`/api/tasks/${taskId}`)).body;
    expect(status['error']).toEqual({ type: 'TypeError', message: 'a reason at amqp://[redacted]@host' });
    for (const answer of [problem, status]) expect(JSON.stringify(answer)).not.toMatch(/canary|\.ts|at \w+ \(/);
  });

  it('a task that is not allowed cannot be submitted, whether it exists or not', async () => {
    for (const name of ['secret', 'toy.train', 'unknown', 'Echo', 'echo/../secret']) {
      expect(await api.problem('POST', '/api/tasks', { name })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    }
  });

  it('modules, queues, headers and the like cannot be named', async () => {
    for (const key of ['module', 'path', 'queue', 'headers', 'retry', 'driver', '__proto__']) {
      const problem = await api.problem('POST', '/api/tasks', `{"name":"echo","${key}":"x"}`);
      expect(problem, key).toMatchObject({ status: 400 });
    }
  });

  it('tasks of others are 403, unknown ones 404; those of experiments can be followed', async () => {
    const { TaskQueuePlugin } = await import('../../src/index.js');
    const foreign = await api.app.get(TaskQueuePlugin).submitTask('secret');
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/result'],
      ['GET', '/progress'],
      ['POST', '/cancel'],
    ] as const) {
      expect(await api.problem(method, `/api/tasks/${foreign}${path}`)).toMatchObject({ status: 403 });
      expect(await api.problem(method, `/api/tasks/nobody${path}`)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    }
    const { body } = await api.post<{ taskId: string }>('/api/experiments/toy/train');
    expect(await api.get(`/api/tasks/${body.taskId}`)).toMatchObject({ status: 200, body: { name: 'toy.train' } });
  });

  it('an id that is no id is refused by the plugin’s rule', async () => {
    expect(await api.problem('GET', '/api/tasks/12345')).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' });
    expect(await api.problem('POST', '/api/tasks', { name: 'echo', taskId: '12345' })).toMatchObject({ status: 400 });
  });

  it('the wait has a limit', async () => {
    expect(await api.problem('GET', '/api/tasks/x/result?wait=60001')).toMatchObject({ status: 400 });
    const bounded = await ApiApp.open({ adapter, api: { limits: { wait: 50 } }, tasks: { slow: patient } });
    try {
      const { body } = await bounded.post<{ taskId: string }>('/api/tasks', { name: 'slow' });
      const begun = performance.now();
      expect((await bounded.get(`/api/tasks/${body.taskId}/result?wait=60000`)).status).toBe(202);
      expect(performance.now() - begun).toBeLessThan(20_000);
      await bounded.post(`/api/tasks/${body.taskId}/cancel`);
    } finally {
      await bounded.close();
    }
  });
});
