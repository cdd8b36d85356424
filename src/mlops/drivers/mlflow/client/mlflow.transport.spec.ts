import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary, type Reply } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import type { HubError } from '../../../../core/errors.js';
import type { TransportOptions } from './mlflow.client.options.js';
import { HttpTransport } from './mlflow.transport.js';
import type { JsonRequest } from './mlflow.transport.types.js';

const GET: JsonRequest = { method: 'GET', path: '/api/2.0/mlflow/runs/get' };
const POST: JsonRequest = { method: 'POST', path: '/api/2.0/mlflow/runs/create', body: { a: 1 } };
const retry = { attempts: 3, delay: 5, factor: 2, maxDelay: 20, jitter: 0, respectRetryAfter: true };
const LOGIN: Reply = { headers: { 'content-type': 'text/html' }, body: '<!DOCTYPE html><html>Sign in</html>' };

let server: Adversary;
let other: Adversary;
const opened: HttpTransport[] = [];

const open = (options: Partial<TransportOptions> = {}): HttpTransport => {
  const transport = new HttpTransport({ retry, ...options, uri: options.uri ?? server.url });
  opened.push(transport);
  return transport;
};
/** Everything of an error that somebody may see. */
const shown = (error: HubError): string =>
  `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;

beforeEach(async () => {
  server = await Adversary.start();
  other = await Adversary.start();
});
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
  await server.stop();
  await other.stop();
});

describe('a request', () => {
  it('keeps the path in the address, and writes lists, booleans and what is undefined as MLflow reads them', async () => {
    const transport = open({ uri: `${server.url}/behind/a%20proxy/` });
    await transport.json({ ...GET, query: { run_ids: ['a', 'b c'], on: true, off: false, n: 3, none: undefined } });
    expect(server.seen[0]?.url).toBe(
      '/behind/a%20proxy/api/2.0/mlflow/runs/get?run_ids=a&run_ids=b+c&on=true&off=false&n=3',
    );
    expect(server.seen[0]?.headers['content-type']).toBeUndefined();
  });

  it('carries JSON, with numbers that JSON has not as strings, for DELETE too', async () => {
    const values = { nan: NaN, list: [Infinity, -Infinity, 1], none: null, gone: undefined };
    await open().json({ ...POST, method: 'DELETE', body: values });
    expect(server.seen[0]?.headers['content-type']).toBe('application/json');
    expect(server.seen[0]?.body).toBe('{"nan":"NaN","list":["Infinity","-Infinity",1],"none":null}');
    await rejectsWith(() => open().json({ ...POST, body: { big: 1n } }), 'PAYLOAD_INVALID');
  });

  it('reads an object, nothing as an empty one, and bare NaN as text', async () => {
    server.next({ body: '' }, { body: '{"a": [NaN, -Infinity, "NaN \\" NaN"], "b": "x"}' });
    expect(await open().json(GET)).toEqual({});
    expect(await open().json(GET)).toEqual({ a: ['NaN', '-Infinity', 'NaN " NaN'], b: 'x' });
  });

  it('refuses paths that lead elsewhere', async () => {
    for (const path of ['no/slash', '/a/../b', '/a/%2e%2e/b', '/a?b', '/a b', '/a#b', '/a/..', '/a\\b']) {
      await rejectsWith(() => open().json({ ...GET, path }), 'INVALID_ARGUMENT');
    }
    expect(server.seen).toEqual([]);
  });

  it('shares few connections, and opens no more than it may', async () => {
    const transport = open({ connections: 3 });
    for (let i = 0; i < 10; i += 1) await transport.json(GET);
    // An answer may be read just before its connection is free for the next request.
    expect(server.connections).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 20 }, () => transport.json(GET)));
    expect(server.seen).toHaveLength(30);
    expect(server.connections).toBe(3);
  });

  it('carries configured headers, workspace and a name', async () => {
    await open({ headers: { 'X-Team': 'one' }, workspace: 'w1' }).json(GET);
    expect(server.seen[0]?.headers).toMatchObject({
      'x-team': 'one',
      'x-mlflow-workspace': 'w1',
      'user-agent': 'nestjs-experiment-hub',
    });
  });
});

describe('answers that are not of MLflow', () => {
  it('a page behind a 200 is UNAUTHORIZED, and no write is taken for done', async () => {
    for (const ask of [() => open().json(POST), () => open().text(GET)]) {
      server.next(LOGIN);
      const error = await rejectsWith(ask, 'UNAUTHORIZED');
      expect(error.message).toMatch(/login/);
      expect(error.details).toEqual({ status: 200 });
    }
    expect(server.seen).toHaveLength(2);
  });

  it('what is no JSON object is UNAVAILABLE; a write may have been done', async () => {
    for (const body of ['[1]', '"text"', '{"cut', 'OK']) {
      server.next({ body });
      const error = await rejectsWith(() => open().json(POST), 'UNAVAILABLE');
      expect(error.details).toMatchObject({ status: 200, maybeDone: true });
    }
  });

  it('a redirect to another place is not followed', async () => {
    server.always({ status: 302, headers: { location: `${other.url}/login?state=s3cr3t` } });
    const error = await rejectsWith(
      () => open({ auth: { type: 'bearer', token: 't0ken-t0ken' } }).json(GET),
      'UNAUTHORIZED',
    );
    expect(error.message).toContain(`${other.url}/login`);
    expect(shown(error)).not.toContain('s3cr3t');
    expect([server.seen.length, other.seen.length]).toEqual([1, 0]);
    server.always({ status: 308, headers: { location: `${other.url}${GET.path}` } });
    expect((await rejectsWith(() => open().json(GET), 'UNAVAILABLE')).message).toContain(
      `to ${other.url}: set mlflow_uri`,
    );
    expect(other.seen).toEqual([]);
  });

  it('a long error is cut, and says nothing of credentials it repeats', async () => {
    server.always({ status: 400, body: `bad t0ken-t0ken ${'x'.repeat(1_000_000)}` });
    const error = await rejectsWith(
      () => open({ auth: { type: 'bearer', token: 't0ken-t0ken' } }).json(GET),
      'INVALID_ARGUMENT',
    );
    expect(error.message.length).toBeLessThan(1_000);
    expect(shown(error)).not.toContain('t0ken-t0ken');
  });
});
