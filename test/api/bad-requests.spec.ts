import { Body, Controller, Get, Logger, Module, Post, type DynamicModule } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ExperimentHub, HubError } from '../../src/index.js';
import { adapters, ApiApp, TOKEN } from './api-app.js';

/** A controller of the application, which the API must not touch. */
@Controller('own')
class OwnController {
  @Post()
  post(@Body() body: unknown): unknown {
    return body;
  }

  @Get('fails')
  fails(): never {
    throw new Error('of the application');
  }
}

@Module({ controllers: [OwnController] })
class OwnModule {}
const own: DynamicModule = { module: OwnModule };

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('bad requests on %s', (adapter) => {
  let api: ApiApp;

  beforeAll(async () => {
    api = await ApiApp.open({
      adapter,
      api: { limits: { bodyBytes: 50_000 } },
      tasks: { echo: ({ kwargs }) => kwargs },
      imports: [own],
    });
  });
  afterAll(() => api.close());

  const json = { 'content-type': 'application/json' };
  const submit = (body: string, headers: Record<string, string> = json) =>
    api.problem('POST', '/api/tasks', body, headers);

  it.each(['{"name":', 'nonsense', '"text"', '5', 'null', '[]', '{"name":"echo"}}', '\u0000'])(
    'the body %j is 400',
    async (body) => {
      const problem = await submit(body);
      expect(problem).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' });
      expect(problem.detail).not.toContain('nonsense');
    },
  );

  it('a body that is missing is 400, and `{}` where nothing is needed', async () => {
    expect(await api.problem('POST', '/api/tasks')).toMatchObject({ status: 400 });
    expect(await api.problem('POST', '/api/tasks', '', json)).toMatchObject({ status: 400 });
    expect(await api.send('POST', '/api/experiments/toy/cancel', '', json)).toMatchObject({ status: 200 });
    expect(await api.post('/api/experiments/toy/cancel', {})).toMatchObject({ status: 200 });
    expect(await api.problem('POST', '/api/experiments/toy/cancel', { x: 1 })).toMatchObject({ status: 400 });
  });

  it('another media type is 415', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'nonsense',
    ]) {
      expect(await submit('{"name":"echo"}', { 'content-type': type }), type).toMatchObject({ status: 415 });
    }
  });

  it('a large body is 413, sent with its length or in chunks', async () => {
    const kwargs = { text: 'x'.repeat(60_000) };
    expect(await submit(JSON.stringify({ name: 'echo', kwargs }))).toMatchObject({
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
      detail: expect.stringContaining('50000'),
    });
    const chunked = await fetch(`${api.url}/api/tasks`, {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${TOKEN}` },
      body: new Blob([JSON.stringify({ name: 'echo', kwargs })]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect([chunked.status, chunked.headers.get('content-type')]).toEqual([
      413,
      expect.stringContaining('problem+json'),
    ]);
    // Beyond what the parser of the application takes.
    expect(await submit(`{"name":"${'x'.repeat(2_000_000)}"}`)).toMatchObject({ status: 413 });
  });

  it('a deep body is 400, however deep, and not a fault of the server', async () => {
    for (const depth of [101, 20_000]) {
      const args = '['.repeat(depth) + ']'.repeat(depth);
      expect(await submit(`{"name":"echo","args":${args}}`)).toMatchObject({
        status: 400,
        detail: expect.stringContaining('100 levels'),
      });
    }
    const fine = '['.repeat(90) + ']'.repeat(90);
    expect((await api.send('POST', '/api/tasks', `{"name":"echo","args":${fine}}`)).status).toBe(202);
  });

  it('tells every fault, and a likely key', async () => {
    const problem = await submit('{"nam":"echo","priority":"3","countdown":-1}');
    expect(problem.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: 'body.name', message: expect.stringContaining('required') }),
        expect.objectContaining({ path: 'body.nam', message: expect.stringContaining('Did you mean "name"?') }),
        expect.objectContaining({ path: 'body.priority', message: expect.stringContaining('number') }),
        expect.objectContaining({ path: 'body.countdown' }),
      ]),
    );
  });

  it('unknown and repeated query parameters are 400', async () => {
    for (const query of [
      'x=1',
      'limit=1&limit=2',
      'limit=0',
      'limit=1001',
      'limit=abc',
      'limit=',
      'limit[a]=1',
      'cursor=',
    ]) {
      expect(await api.problem('GET', `/api/experiments?${query}`), query).toMatchObject({ status: 400 });
    }
    expect(await api.problem('GET', '/api/plugins?verbose')).toMatchObject({ status: 400 });
  });

  it('names that no experiment, run or task can have are 400', async () => {
    for (const path of ['experiments/a%20b', 'experiments/toy/runs/a%2Fb', 'tasks/a%00b']) {
      expect(await api.problem('GET', `/api/${path}`), path).toMatchObject({ status: 400 });
    }
  });

  it('every answer says how it may be used', async () => {
    for (const path of ['/api/experiments', '/api/nope', '/api/plugins?x', '/api/openapi.json']) {
      const { headers } = await api.get(path);
      expect(headers.get('cache-control'), path).toBe('no-store');
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    }
  });

  it('a fault of the server tells nothing, and is logged with its identity', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const plugins = vi.spyOn(api.app.get(ExperimentHub), 'plugins');
    try {
      for (const [error, status, code] of [
        [new Error('canary at /var/secret'), 500, 'INTERNAL'],
        [new HubError('UNAVAILABLE', 'canary-host-7 is away'), 503, 'UNAVAILABLE'],
        ['canary', 500, 'INTERNAL'],
      ] as const) {
        plugins.mockImplementationOnce(() => {
          throw error as Error;
        });
        const problem = await api.problem('GET', '/api/plugins');
        expect(problem).toMatchObject({ status, code });
        expect(JSON.stringify(problem)).not.toContain('canary');
        const line = String(logged.mock.calls.at(-1)?.[0]);
        expect(line).toContain(problem.instance);
        expect(line).toContain('canary');
      }
    } finally {
      logged.mockRestore();
      plugins.mockRestore();
    }
  });

  it('leaves the rest of the application as it was', async () => {
    expect(await api.post('/own', { a: 1 })).toMatchObject({ status: 201, body: { a: 1 } });
    for (const answer of [
      await api.send('POST', '/own', '{"a":', json),
      await api.get('/own/fails'),
      await api.get('/apinope'),
    ]) {
      expect(answer.headers.get('content-type')).not.toContain('problem');
      expect(answer.body).toHaveProperty('statusCode', answer.status);
    }
  });
});
