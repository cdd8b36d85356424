import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module, type DynamicModule, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataStreamPlugin, ExperimentHub, ExperimentHubModule, HubError, HubHealthIndicator } from '../../src/index.js';
import type { HubOptions } from '../../src/index.js';

interface HealthBody {
  status: string;
  details: Record<string, Record<string, unknown>>;
}

const adapters = { express: () => new ExpressAdapter(), fastify: () => new FastifyAdapter() };

describe.each(Object.entries(adapters))('health over HTTP on %s', (_name, adapter) => {
  let folder: string;
  const apps: INestApplication[] = [];

  const boot = async (hub: DynamicModule, extras: { controllers?: Type[]; imports?: Type[] } = {}) => {
    @Module({ ...extras, imports: [hub, ...(extras.imports ?? [])] })
    class App {}
    const app = await NestFactory.create(App, adapter(), { logger: false, abortOnError: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const base = await app.getUrl();
    const get = async (path: string) => {
      const answer = await fetch(base + path);
      return { status: answer.status, body: (await answer.json()) as HealthBody };
    };
    return { app, get };
  };
  const local = (dataDir: string, more: object = {}) => ({ type: 'local', config: { dataDir }, ...more });
  const config = (dataDir: string, taskqueue: object = local(dataDir)): HubOptions => ({
    plugins: { mlops: local(dataDir), datastream: local(dataDir), taskqueue },
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-health-'));
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await rm(folder, { recursive: true, force: true });
  });

  it('all up: 200 on all three, statuses only', async () => {
    const { get } = await boot(ExperimentHubModule.forRoot({ config: config(folder) }));
    const health = await get('/health');
    expect(health.status).toBe(200);
    const up = { status: 'up' };
    expect(health.body).toMatchObject({ status: 'ok', details: { hub: up, mlops: up, datastream: up, taskqueue: up } });
    expect(health.body.details['mlops']).toEqual(up);
    expect(await get('/health/ready')).toMatchObject({ status: 200 });
    expect(await get('/health/live')).toEqual({ status: 200, body: { status: 'ok' } });
  });

  it('an optional plugin that could not start is degraded with 200, and comes back by itself', async () => {
    const first = await boot(ExperimentHubModule.forRoot({ config: config(folder) }));
    const other = await mkdtemp(join(folder, 'other-'));
    const options: HubOptions = config(other, local(folder, { required: false }));
    const { app, get } = await boot(
      ExperimentHubModule.forRoot({ config: options, health: { details: true, cacheFor: 0 } }),
    );
    const health = await get('/health');
    expect(health).toMatchObject({
      status: 200,
      body: { status: 'degraded', details: { taskqueue: { status: 'degraded' } } },
    });
    expect(health.body.details['taskqueue']?.['message']).toContain(`in use by`);
    expect(await get('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(app.get(ExperimentHub).plugins()).toContainEqual(
      expect.objectContaining({
        type: 'taskqueue',
        state: 'down',
        lastError: expect.objectContaining({ code: 'STORE_LOCKED' }),
      }),
    );
    await first.app.close();
    await expect.poll(async () => (await get('/health')).body.status, { timeout: 10_000 }).toBe('ok');
  });

  it('a required plugin that could not start ends the boot with its own error', async () => {
    const file = join(folder, 'not-a-folder');
    await writeFile(file, '');
    const failure = await boot(ExperimentHubModule.forRoot({ config: config(join(file, 'data')) })).catch(
      (e: unknown) => e,
    );
    expect(HubError.is(failure, 'UNAVAILABLE')).toBe(true);
    await boot(ExperimentHubModule.forRoot({ config: config(folder) }));
  });

  it('a plugin that fails later turns /health and /health/ready to 503, and liveness stays 200', async () => {
    const { app, get } = await boot(
      ExperimentHubModule.forRoot({ config: config(folder), health: { cacheFor: 0, details: true } }),
    );
    await app.get(DataStreamPlugin).shutdown();
    expect(await get('/health')).toMatchObject({
      status: 503,
      body: { status: 'error', error: { datastream: { status: 'down' } } },
    });
    expect(await get('/health/ready')).toMatchObject({ status: 503 });
    expect(await get('/health/live')).toMatchObject({ status: 200 });
    await app.get(DataStreamPlugin).initialize();
    expect(await get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('can be moved, switched off, and replaced by a controller of the application', async () => {
    const moved = await boot(ExperimentHubModule.forRoot({ config: config(folder), health: { path: 'status' } }));
    expect(await moved.get('/status/ready')).toMatchObject({ status: 200 });
    expect(await moved.get('/health')).toMatchObject({ status: 404 });
    await moved.app.close();

    @Controller('mine')
    class MyHealth {
      constructor(
        private readonly health: HealthCheckService,
        private readonly hub: HubHealthIndicator,
      ) {}
      @Get()
      check() {
        return this.health.check([() => this.hub.isHealthy()]);
      }
    }
    const own = await boot(ExperimentHubModule.forRoot({ config: config(folder), health: false }), {
      controllers: [MyHealth],
      imports: [TerminusModule],
    });
    expect(await own.get('/health')).toMatchObject({ status: 404 });
    expect(await own.get('/mine')).toMatchObject({ status: 200, body: { details: { taskqueue: { status: 'up' } } } });
  });
});
