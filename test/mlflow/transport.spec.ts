import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import { probeServer } from '../../src/mlops/drivers/mlflow/client/mlflow.server-probe.js';
import { HttpTransport } from '../../src/mlops/drivers/mlflow/client/mlflow.transport.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { python, skipReason } from './mlflow-python.js';

const API = '/api/2.0/mlflow';
const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts';

describe.skipIf(python === undefined)(`the transport and a real server${skipReason}`, () => {
  let folder: string;
  let server: MLflowServer;
  let transport: HttpTransport;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlflow-transport-'));
    server = await MLflowServer.start(python ?? '', folder);
    transport = new HttpTransport({ uri: server.url });
  }, 240_000);
  afterAll(async () => {
    await transport?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const post = <T extends object>(path: string, body: object): Promise<T> =>
    transport.json<T>({ method: 'POST', path: `${API}/${path}`, body });
  const createRun = async (): Promise<string> => {
    const { run } = await post<{ run: { info: { run_id: string } } }>('runs/create', {
      experiment_id: '0',
      start_time: Date.now(),
    });
    return run.info.run_id;
  };

  it('is probed', async () => {
    expect((await probeServer(transport)).version).toBe((await server.version()).trim());
  });

  it('a value that is not finite arrives, and comes back by both routes', async () => {
    const run_id = await createRun();
    await post('runs/log-metric', { run_id, key: 'm', value: NaN, timestamp: 5, step: 1 });
    const query = { run_id, metric_key: 'm' };
    const history = await transport.json<{ metrics: { value: unknown; timestamp: number }[] }>({
      method: 'GET',
      path: `${API}/metrics/get-history`,
      query: { ...query, max_results: 10 },
    });
    expect(history.metrics).toMatchObject([{ value: 'NaN', timestamp: 5 }]);
    // This route writes the bare word.
    const bulk = await transport.json<{ metrics: { value: unknown }[] }>({
      method: 'GET',
      path: '/ajax-api/2.0/mlflow/metrics/get-history-bulk',
      query,
    });
    expect(bulk.metrics).toMatchObject([{ value: 'NaN' }]);
  });

  it("errors carry the server's code", async () => {
    const missing = await rejectsWith(
      () => transport.json({ method: 'GET', path: `${API}/runs/get`, query: { run_id: 'zzz' } }),
      'NOT_FOUND',
    );
    expect(missing.details['errorCode']).toBe('RESOURCE_DOES_NOT_EXIST');
    const run_id = await createRun();
    await post('runs/log-parameter', { run_id, key: 'p', value: '1' });
    await rejectsWith(() => post('runs/log-parameter', { run_id, key: 'p', value: '2' }), 'CONFLICT');
    await post('runs/delete', { run_id });
    await rejectsWith(() => post('runs/log-parameter', { run_id, key: 'q', value: '2' }), 'CONFLICT');
    await post('experiments/create', { name: 'taken' });
    await rejectsWith(() => post('experiments/create', { name: 'taken' }), 'ALREADY_EXISTS');
    await rejectsWith(() => post('experiments/update', { experiment_id: '0', new_name: 'taken' }), 'ALREADY_EXISTS');
    await rejectsWith(() => post('no/such/path', {}), 'UNSUPPORTED');
  });

  it('bytes go up and come down, and what is not there is NOT_FOUND', async () => {
    const chunks = Array.from({ length: 300 }, (_, index) => Buffer.alloc(10_000, index));
    const path = `${ARTIFACTS}/0/a%20%C3%BC/b.bin`;
    await transport.upload({ method: 'PUT', path, body: () => Readable.from(chunks) });
    const { body } = await transport.download({ method: 'GET', path });
    expect(Buffer.concat(await body.toArray()).equals(Buffer.concat(chunks))).toBe(true);
    await transport.upload({ method: 'PUT', path, body: () => Buffer.alloc(0), contentLength: 0 });
    expect(await (await transport.download({ method: 'GET', path })).body.toArray()).toEqual([]);
    await rejectsWith(() => transport.download({ method: 'GET', path: `${ARTIFACTS}/0/none` }), 'NOT_FOUND');
  });

  it('an unused connection that the server closed is replaced', async () => {
    await transport.json({ method: 'GET', path: `${API}/experiments/get`, query: { experiment_id: '0' } });
    // uvicorn closes after 5 s.
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    expect(await createRun()).toMatch(/^[0-9a-f]{32}$/);
  });
});
