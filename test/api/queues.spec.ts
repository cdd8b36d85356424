import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataStreamPlugin } from '../../src/index.js';
import { adapters, ApiApp } from './api-app.js';

interface Letters {
  items: { messageId: string; encoding: string; payload: unknown; reason: string; detail: string }[];
}

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('queues over HTTP on %s', (adapter) => {
  let api: ApiApp;
  let stream: DataStreamPlugin;
  const jobs = '/api/queues/jobs';

  beforeAll(async () => {
    api = await ApiApp.open({
      adapter,
      api: {
        queues: {
          read: ['jobs', 'read/only', 'missing'],
          send: ['jobs', 'send-only', 'small'],
          manage: ['jobs'],
        },
      },
    });
    stream = api.app.get(DataStreamPlugin);
    for (const queue of ['jobs', 'read/only', 'send-only', 'hidden']) await stream.createQueue(queue);
    await stream.createQueue('small', { maxLength: 1 });
  });
  afterAll(() => api.close());

  it('lists what the option names', async () => {
    expect((await api.get('/api/queues')).body).toEqual({
      items: [
        { name: 'jobs', read: true, send: true, manage: true },
        { name: 'missing', read: true, send: false, manage: false },
        { name: 'read/only', read: true, send: false, manage: false },
        { name: 'send-only', read: false, send: true, manage: false },
        { name: 'small', read: false, send: true, manage: false },
      ],
      next: null,
    });
  });

  it('sends, counts and flushes', async () => {
    const sent = await api.post(`${jobs}/messages`, {
      payload: { a: [1, null] },
      messageId: 'm1',
      correlationId: 'c1',
      headers: { kind: 'test' },
      expiration: 60_000,
    });
    expect(sent).toMatchObject({ status: 201, body: { messageId: 'm1' } });
    expect((await api.get(jobs)).body).toEqual({
      name: 'jobs',
      ready: 1,
      unacked: 0,
      delayed: 0,
      deadLetters: 0,
      consumers: 0,
    });
    const delivery = await stream.pullData('jobs');
    expect(delivery).toMatchObject({ payload: { a: [1, null] }, correlationId: 'c1', headers: { kind: 'test' } });
    await delivery?.ack();
    for (const payload of [null, 'text', 0]) {
      expect((await api.post(`${jobs}/messages`, { payload })).status).toBe(201);
    }
    expect((await api.post(`${jobs}/flush`)).body).toEqual({ count: 3 });
    expect((await api.get(jobs)).body['ready']).toBe(0);
  });

  it('shows dead letters, sends them back and removes them', async () => {
    await stream.sendData('jobs', { n: 1 }, { messageId: 'd1' });
    await stream.sendData('jobs', Buffer.from([0, 255]), { messageId: 'd2' });
    for (let index = 0; index < 2; index++) {
      await (await stream.pullData('jobs'))?.reject('no: amqp://someone:canary@host');
    }
    const letters = async (query = '') => (await api.get<Letters>(`${jobs}/dead-letters${query}`)).body.items;
    expect(await letters()).toMatchObject([
      {
        messageId: 'd1',
        encoding: 'json',
        payload: { n: 1 },
        reason: 'rejected',
        detail: 'no: amqp://[redacted]@host',
      },
      { messageId: 'd2', encoding: 'base64', payload: 'AP8=' },
    ]);
    expect(await letters('?limit=1')).toHaveLength(1);
    expect((await api.post(`${jobs}/dead-letters/redrive`, { messageIds: ['d1'] })).body).toEqual({ count: 1 });
    expect(await letters()).toHaveLength(1);
    expect((await api.post(`${jobs}/flush`)).body).toEqual({ count: 1 });
    expect(await api.send('DELETE', `${jobs}/dead-letters`)).toMatchObject({ status: 200, body: { count: 1 } });
    expect(await letters()).toEqual([]);
    expect((await api.post(`${jobs}/dead-letters/redrive`)).body).toEqual({ count: 0 });
  });

  it('a name with a slash is encoded; a full queue is 409, a missing one 404', async () => {
    expect((await api.get('/api/queues/read%2Fonly')).body['name']).toBe('read/only');
    expect((await api.post('/api/queues/small/messages', { payload: 1 })).status).toBe(201);
    expect(await api.problem('POST', '/api/queues/small/messages', { payload: 1 })).toMatchObject({ status: 409 });
    expect(await api.problem('GET', '/api/queues/missing')).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('what the option does not name is 403, whether the queue exists or not', async () => {
    const refused: [string, string, unknown?][] = [
      ['GET', '/api/queues/hidden'],
      ['GET', '/api/queues/no-such-queue'],
      ['GET', '/api/queues/send-only'],
      ['GET', '/api/queues/send-only/dead-letters'],
      ['POST', '/api/queues/hidden/messages', { payload: 1 }],
      ['POST', '/api/queues/read%2Fonly/messages', { payload: 1 }],
      ['POST', '/api/queues/read%2Fonly/flush'],
      ['POST', '/api/queues/read%2Fonly/dead-letters/redrive'],
      ['DELETE', '/api/queues/read%2Fonly/dead-letters'],
    ];
    for (const [method, path, body] of refused) {
      expect(await api.problem(method, path, body), `${method} ${path}`).toMatchObject({ status: 403 });
    }
  });

  it('headers of the hub, and options that the driver does not know, are refused', async () => {
    const send = (body: object) => api.problem('POST', `${jobs}/messages`, { payload: 1, ...body });
    expect(await send({ headers: { 'x-hub-attempt': 1 } })).toMatchObject({ status: 400 });
    expect(await send({ headers: { 'X-Hub-Attempt': 1 } })).toMatchObject({ status: 400 });
    expect(await send({ expiration: 0 })).toMatchObject({ status: 400 });
    expect(await api.problem('POST', `${jobs}/messages`, {})).toMatchObject({ status: 400 });
    if (!stream.supports.priority)
      expect(await send({ priority: 3 })).toMatchObject({ status: 501, code: 'UNSUPPORTED' });
  });
});
