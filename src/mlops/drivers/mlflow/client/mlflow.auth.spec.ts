import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import type { MLflowAuth, MLflowAuthContext, MLflowAuthProvider } from './mlflow.auth.types.js';
import { HttpTransport } from './mlflow.transport.js';

const GET = { method: 'GET', path: '/api/2.0/mlflow/runs/get' } as const;
const POST = { method: 'POST', path: '/api/2.0/mlflow/runs/create' } as const;

let server: Adversary;
const opened: HttpTransport[] = [];
const open = (auth: MLflowAuth): HttpTransport => {
  const transport = new HttpTransport({ uri: server.url, auth });
  opened.push(transport);
  return transport;
};
const by = (provider: MLflowAuthProvider): HttpTransport => open({ type: 'provider', provider });
const sent = (): (string | undefined)[] => server.seen.map(({ headers }) => headers.authorization);

beforeEach(async () => {
  server = await Adversary.start();
});
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
  await server.stop();
});

describe('fixed credentials', () => {
  it('are sent as they are', async () => {
    await open({ type: 'none' }).json(GET);
    await open({ type: 'basic', username: 'ü', password: 'p:ß' }).json(GET);
    await open({ type: 'bearer', token: 't' }).json(GET);
    expect(sent()).toEqual([undefined, `Basic ${Buffer.from('ü:p:ß').toString('base64')}`, 'Bearer t']);
  });

  it('that are refused are UNAUTHORIZED at once, and not shown', async () => {
    const basic = Buffer.from('user:p4ssword').toString('base64');
    server.always({ status: 401, body: `not p4ssword, not ${basic}` });
    const error = await rejectsWith(
      () => open({ type: 'basic', username: 'user', password: 'p4ssword' }).json(GET),
      'UNAUTHORIZED',
    );
    expect(error.details).toEqual({ status: 401 });
    expect(error.message).not.toContain(basic);
    expect(error.message).not.toContain('p4ssword');
    expect(server.seen).toHaveLength(1);
  });

  it('are not shown when a server repeats them, in whatever shape', async () => {
    const [username, password] = ['user', 'p4ss"w@rd'];
    const userInfo = `${username}:${encodeURIComponent(password)}@`;
    const transports = [
      open({ type: 'basic', username, password }),
      new HttpTransport({ uri: server.url.replace('//', `//${userInfo}`) }),
    ];
    opened.push(...transports);
    const said = `login ${username}:${password} or ${password} failed`;
    for (const body of [
      said,
      JSON.stringify({ error_code: 'BAD_REQUEST', message: said }),
      JSON.stringify({ detail: said }),
    ]) {
      server.always({ status: 400, body });
      for (const transport of transports) {
        const { message } = await rejectsWith(() => transport.json(GET), 'INVALID_ARGUMENT');
        expect(message).toContain('login [redacted] or [redacted] failed');
        expect(message).not.toMatch(/p4ss|w@rd/);
      }
    }
    server.always({ status: 302, headers: { location: '/denied/p4ssword' } });
    const redirected = open({ type: 'basic', username, password: 'p4ssword' });
    expect((await rejectsWith(() => redirected.json(GET), 'UNAUTHORIZED')).message).not.toContain('p4ssword');
  });
});

describe('a provider of credentials', () => {
  it('is asked once, and anew after a 401, once for all who got one', async () => {
    const asked: boolean[] = [];
    const transport = by(async ({ refresh }) => {
      asked.push(refresh);
      await setTimeout(20);
      return `token-${asked.length}`;
    });
    await Promise.all([transport.json(GET), transport.json(GET)]);
    await transport.json(GET);
    expect(asked).toEqual([false]);
    server.always((request, response) => {
      const isNew = request.headers.authorization === 'Bearer token-2';
      response.writeHead(isNew ? 200 : 401).end(isNew ? '{"ok":1}' : 'expired');
    });
    // A write too: what was refused was not done.
    const answers = await Promise.all([transport.json(POST), transport.json(POST), transport.json(GET)]);
    expect(answers).toEqual([{ ok: 1 }, { ok: 1 }, { ok: 1 }]);
    expect(asked).toEqual([false, true]);
    await transport.upload({ ...POST, method: 'PUT', body: () => Buffer.from('x'), contentLength: 1 });
    expect(asked).toHaveLength(2);
  });

  it('whose new answer is refused too is UNAUTHORIZED', async () => {
    server.always({ status: 401 });
    await rejectsWith(() => by(() => 'wrong').json(GET), 'UNAUTHORIZED');
    expect(server.seen).toHaveLength(2);
  });

  it('may be asked again while a request is under way: neither its token nor the newer one is shown', async () => {
    const transport = by(({ refresh }) => (refresh ? 'token-newer' : 'token-older'));
    let answerFirst: (() => void) | undefined;
    server.next((_request, response) => {
      answerFirst = () => response.writeHead(400).end('neither token-older nor token-newer');
    });
    const first = rejectsWith(() => transport.json(GET), 'INVALID_ARGUMENT');
    await expect.poll(() => answerFirst).toBeDefined();
    server.next({ status: 401 }, { status: 200, body: {} });
    await transport.json(GET);
    expect(sent()).toEqual(['Bearer token-older', 'Bearer token-older', 'Bearer token-newer']);
    answerFirst?.();
    expect((await first).message).not.toMatch(/token-(older|newer)/);
  });

  it('may give another token between the headers of a request and its sending', async () => {
    server.always((request, response) => {
      response.writeHead(400).end(`not ${request.headers.authorization}`);
    });
    // The second request asks anew at each of the moments at which the first one may be.
    for (let steps = 0; steps < 40; steps += 1) {
      let count = 0;
      const transport = by(() => ({ token: `token-${steps}-${(count += 1)}`, expiresAt: 0 }));
      const first = rejectsWith(() => transport.json(GET), 'INVALID_ARGUMENT');
      for (let i = 0; i < steps; i += 1) await Promise.resolve();
      const second = rejectsWith(() => transport.json(GET), 'INVALID_ARGUMENT');
      for (const error of await Promise.all([first, second])) expect(error.message).not.toContain('token-');
    }
  });

  it('repeats an upload with a new body', async () => {
    let made = 0;
    server.next({ status: 401 });
    await by(() => 'token').upload({
      ...POST,
      method: 'PUT',
      body: () => Buffer.from(`body ${(made += 1)}`),
      contentLength: 6,
    });
    expect(server.seen.map(({ body }) => body)).toEqual(['body 1', 'body 2']);
  });

  it('may be an instance of a class, with tokens that end or with headers', async () => {
    class Tokens {
      #count = 0;
      getToken() {
        this.#count += 1;
        return { token: `t${this.#count}`, expiresAt: Date.now() + (this.#count === 1 ? -1 : 60_000) };
      }
    }
    const tokens = by(new Tokens());
    for (let i = 0; i < 3; i += 1) await tokens.json(GET);
    expect(sent()).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t2']);
    class Signer {
      readonly #key = 'k';
      getHeaders({ refresh }: MLflowAuthContext) {
        return { 'X-Api-Key': `${this.#key}-${refresh}` };
      }
    }
    await by(new Signer()).json(GET);
    expect(server.seen.at(-1)?.headers['x-api-key']).toBe('k-false');
  });

  it('that fails or gives what no header can hold is UNAUTHORIZED, and may do better next time', async () => {
    const answers: (string | undefined)[] = ['line\nbreak', '', undefined, 'good'];
    const transport = by(() => answers.shift() as string);
    for (let i = 0; i < 3; i += 1) await rejectsWith(() => transport.json(GET), 'UNAUTHORIZED');
    await transport.json(GET);
    expect(sent()).toEqual(['Bearer good']);
    const failing = by(() => Promise.reject(new Error('identity server is down')));
    expect((await rejectsWith(() => failing.json(GET), 'UNAUTHORIZED')).message).toContain('identity server is down');
  });

  it('that never answers ends with the call', async () => {
    const transport = by(() => new Promise<string>(() => undefined));
    await rejectsWith(() => transport.json({ ...GET, deadline: 50 }), 'UNAVAILABLE');
    await rejectsWith(() => transport.json({ ...GET, signal: AbortSignal.timeout(20) }), 'ABORTED');
    const pending = rejectsWith(() => transport.json(GET), 'CLOSED');
    await transport.close();
    await pending;
  });
});
