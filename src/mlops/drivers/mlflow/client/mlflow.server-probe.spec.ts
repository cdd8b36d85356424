import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary, silence, type Behaviour } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import { probeServer } from './mlflow.server-probe.js';
import { HttpTransport } from './mlflow.transport.js';

describe('probeServer', () => {
  let server: Adversary;
  let transport: HttpTransport;
  let replies: { health: Behaviour; version: Behaviour; api: Behaviour };

  beforeEach(async () => {
    server = await Adversary.start();
    transport = new HttpTransport({ uri: server.url });
    replies = { health: { body: 'OK' }, version: { body: '3.17.2' }, api: { body: {} } };
    server.always((request, response) => {
      const path = request.url ?? '';
      const reply = path === '/health' ? replies.health : path === '/version' ? replies.version : replies.api;
      if (typeof reply === 'function') reply(request, response);
      else response.writeHead(reply.status ?? 200).end(typeof reply.body === 'object' ? '{}' : reply.body);
    });
  });
  afterEach(async () => {
    await transport.close();
    await server.stop();
  });

  it('tells version and latency', async () => {
    const { version, latencyMs } = await probeServer(transport);
    expect(version).toBe('3.17.2');
    expect(latencyMs).toBeGreaterThan(0);
    expect(server.seen.find(({ method }) => method === 'POST')).toMatchObject({
      url: '/api/2.0/mlflow/experiments/search',
      body: '{"max_results":1}',
    });
  });

  it('believes the API and not the health page', async () => {
    replies.api = { status: 403, body: 'Invalid Host header - possible DNS rebinding attack detected' };
    expect((await rejectsWith(() => probeServer(transport), 'UNAVAILABLE')).message).toContain('--allowed-hosts');
    replies.api = { status: 401, body: 'You are not authenticated.' };
    await rejectsWith(() => probeServer(transport), 'UNAUTHORIZED');
    replies.api = { body: '<html>Log in</html>' };
    await rejectsWith(() => probeServer(transport), 'UNAUTHORIZED');
  });

  it('asks once', async () => {
    replies.api = { status: 503, body: 'starting' };
    await rejectsWith(() => probeServer(transport), 'UNAVAILABLE');
    expect(server.seen).toHaveLength(3);
  });

  it('does without pages that a proxy keeps back', async () => {
    replies.health = { status: 404, body: '' };
    replies.version = { body: '<html>front page</html>' };
    expect((await probeServer(transport)).version).toBeNull();
    replies.version = { body: 'not a version' };
    expect((await probeServer(transport)).version).toBeNull();
  });

  it('is not satisfied by a health page that is ill', async () => {
    replies.health = { status: 500, body: 'no database' };
    await rejectsWith(() => probeServer(transport), 'UNAVAILABLE');
    replies.health = { body: 'starting' };
    await rejectsWith(() => probeServer(transport), 'UNAVAILABLE');
  });

  it('ends with its signal', async () => {
    replies.api = silence;
    await rejectsWith(() => probeServer(transport, AbortSignal.timeout(100)), 'ABORTED');
  });
});
