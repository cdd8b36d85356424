import { request as httpRequest } from 'node:http';
import {
  Injectable,
  Module,
  UnauthorizedException,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
} from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExperimentHubApiModule, hubApiDocument } from '../../src/api/index.js';
import { adapters, ApiApp, TOKEN } from './api-app.js';

/** Methods that both adapters deliver. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A request as it is: `fetch` knows neither TRACE nor a Host of one's own. */
function raw(
  url: string,
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Every path of the document, with names that exist and with names that do not, and what is no path at all. */
function pathsOf({ paths }: OpenAPIObject): string[] {
  const fill = (template: string, name: string): string => template.replaceAll(/\{[^}]+\}/g, name);
  return [
    ...Object.keys(paths).flatMap((template) => [fill(template, 'toy'), fill(template, 'nobody')]),
    '/api',
    '/api/',
    '/api/openapi.json',
    '/api/nope',
    '/api/experiments/toy/nope/deeper',
    '/api/experiments/',
    '/api//experiments',
    '/api/experiments/%E0%A4%A',
    `/api/experiments/${'x'.repeat(500)}`,
    '/api/experiments?x=1&limit=-1',
    '/api/..%2f',
    '/api/%2e%2e/x',
  ];
}

@Injectable()
class Keys {
  readonly known = ['key-of-the-tests'];
}

/** A module of the application that has what its guard injects. */
@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}

@Injectable()
class KeyGuard implements CanActivate {
  constructor(private readonly keys: Keys) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    const key = headers['x-key'];
    if (key === undefined) throw new UnauthorizedException('who are you?');
    return this.keys.known.includes(key);
  }
}

const guarded: DynamicModule = ExperimentHubApiModule.forRoot({ auth: { guards: [KeyGuard] }, imports: [KeysModule] });
const tokens: DynamicModule = ExperimentHubApiModule.forRoot({
  auth: { bearerTokens: ['another-token-of-two', TOKEN] },
});

interface Closed {
  adapter: keyof typeof adapters;
  by: string;
  module: DynamicModule;
  pass: Record<string, string>;
}

const closed = (Object.keys(adapters) as (keyof typeof adapters)[]).flatMap((adapter): Closed[] => [
  { adapter, by: 'bearer tokens', module: tokens, pass: { authorization: `Bearer ${TOKEN}` } },
  { adapter, by: "the application's guard", module: guarded, pass: { 'x-key': 'key-of-the-tests' } },
]);

describe.each(closed)('the API on $adapter, closed by $by', ({ adapter, by, module, pass }: Closed) => {
  let api: ApiApp;
  let paths: string[];

  beforeAll(async () => {
    api = await ApiApp.open({ adapter, module });
    paths = pathsOf(hubApiDocument(api.app));
  });
  afterAll(() => api.close());

  it('answers 401 to strangers on every path and method, in the same words', async () => {
    const words = new Set<string>();
    const wrong: string[] = [];
    for (const path of paths) {
      for (const method of METHODS) {
        const body = ['POST', 'PUT', 'PATCH'].includes(method) ? '{"rows":[]}' : '';
        const headers: Record<string, string> =
          body === '' ? {} : { 'content-type': 'application/json', 'content-length': '11' };
        const answer = await raw(api.url, path, { method, body, headers });
        const isProblem = String(answer.headers['content-type']).startsWith('application/problem+json');
        if (answer.status !== 401 || !isProblem || answer.headers['www-authenticate'] === undefined) {
          wrong.push(`${method} ${path}: ${answer.status} ${answer.body}`);
        }
        if (answer.body !== '') words.add(answer.body.replace(/urn:uuid:[^"]+/, ''));
      }
    }
    expect(wrong).toEqual([]);
    expect(paths.length).toBeGreaterThan(60);
    expect([...words]).toHaveLength(1);
  });

  it('answers 401 to strangers whatever they send', async () => {
    const bodies: [string, Record<string, string>][] = [
      ['{"name":', { 'content-type': 'application/json' }],
      ['name=x', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['<x/>', { 'content-type': 'application/xml' }],
      [`{"x":"${'x'.repeat(2_000_000)}"}`, { 'content-type': 'application/json' }],
      ['{"__proto__":{}}', { 'content-type': 'application/json' }],
      ['', { 'content-type': 'application/json' }],
      ['{}', { 'content-type': 'application/json; charset=utf-7' }],
      ['{}', { 'content-type': 'application/json', 'content-encoding': 'nonsense' }],
    ];
    for (const [body, headers] of bodies) {
      const answer = await fetch(`${api.url}/api/tasks`, { method: 'POST', body, headers });
      expect(answer.status, JSON.stringify(headers)).toBe(401);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
  });

  it('wrong credentials get no further', async () => {
    const wrong: Record<string, string> =
      by === 'bearer tokens' ? { authorization: `Bearer ${TOKEN}x` } : { 'x-key': 'wrong' };
    // A guard that returns false means 403, as anywhere in Nest.
    const expected = by === 'bearer tokens' ? 401 : 403;
    for (const path of ['/api/experiments', '/api/nope', '/api/openapi.json']) {
      const answer = await raw(api.url, path, { headers: wrong });
      expect([path, answer.status]).toEqual([path, expected]);
      expect(JSON.parse(answer.body)).toMatchObject({ status: expected });
    }
  });

  it('lets the others in, and tells them what exists', async () => {
    const ask = async (path: string, method = 'GET') => raw(api.url, path, { method, headers: pass });
    expect(await ask('/api/experiments')).toMatchObject({ status: 200 });
    expect(await ask('/api/openapi.json')).toMatchObject({ status: 200 });
    expect(await ask('/api/experiments', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask('/api/nope')).toMatchObject({ status: 404 });
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE', 'DELETE']) {
      expect(await ask('/api/experiments', method), method).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
      });
    }
    expect(await ask('/api/experiments/toy/train')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });
});

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('the API on %s without authentication', (adapter) => {
  let api: ApiApp;

  beforeAll(async () => {
    api = await ApiApp.open({ adapter, module: ExperimentHubApiModule.forRoot({ auth: 'none' }) });
  });
  afterAll(() => api.close());

  it('serves this machine by its loopback names', async () => {
    const { port } = new URL(api.url);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'localhost']) {
      expect(await raw(api.url, '/api/experiments', { headers: { host } }), host).toMatchObject({ status: 200 });
    }
  });

  it('refuses other names, other origins and proxies, on every path', async () => {
    const refused: [Record<string, string>, string?][] = [
      [{ host: 'rebound.example' }],
      [{ host: 'rebound.example' }, 'POST'],
      [{ 'x-forwarded-for': '10.0.0.1' }],
      [{ origin: 'https://evil.example' }],
      [{ origin: 'null' }, 'POST'],
      [{ 'sec-fetch-site': 'cross-site' }, 'POST'],
      [{ 'sec-fetch-site': 'same-site' }, 'DELETE'],
    ];
    for (const [headers, method = 'GET'] of refused) {
      for (const path of ['/api/experiments', '/api/tasks', '/api/nope', '/api/openapi.json']) {
        const answer = await raw(api.url, path, { method, headers });
        expect([answer.status, headers, path]).toEqual([403, headers, path]);
        expect(JSON.parse(answer.body)).toMatchObject({ code: 'FORBIDDEN' });
      }
    }
  });
});

describe('options from providers', () => {
  const open = (module: DynamicModule) => ApiApp.open({ module });

  it('gives the tokens, and other things than guards, by a factory', async () => {
    const module = ExperimentHubApiModule.forRootAsync({
      path: 'hub/v1',
      imports: [KeysModule],
      inject: [Keys],
      useFactory: ({ known }: Keys) => ({ auth: { bearerTokens: known }, tasks: 'any' as const }),
    });
    const api = await open(module);
    try {
      expect((await api.get('/hub/v1/experiments')).status).toBe(401);
      const headers = { authorization: 'Bearer key-of-the-tests' };
      expect((await api.send('GET', '/hub/v1/experiments', undefined, headers)).status).toBe(200);
      expect((await api.get('/api/experiments')).status).toBe(404);
    } finally {
      await api.close();
    }
  });

  it('takes guards beside the factory', async () => {
    const auth = { guards: [KeyGuard] };
    const api = await open(
      ExperimentHubApiModule.forRootAsync({ auth, imports: [KeysModule], useFactory: () => ({}) }),
    );
    try {
      expect((await api.get('/api/experiments')).status).toBe(401);
      expect((await api.send('GET', '/api/x', undefined, { 'x-key': 'wrong' })).status).toBe(403);
      expect((await api.send('GET', '/api/experiments', undefined, { 'x-key': 'key-of-the-tests' })).status).toBe(200);
    } finally {
      await api.close();
    }
  });

  it.each([
    ['no auth', {}, undefined],
    ['guards from the factory, which come too late', { auth: { guards: [KeyGuard] } }, undefined],
    ['two kinds of auth', { auth: 'none' }, { guards: [KeyGuard] }],
    ['a short token', { auth: { bearerTokens: ['short'] } }, undefined],
  ])('does not boot with %s', async (_case, options, auth) => {
    const module = ExperimentHubApiModule.forRootAsync({
      imports: [KeysModule],
      ...(auth === undefined ? {} : { auth }),
      useFactory: () => options as never,
    });
    await expect(open(module)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
