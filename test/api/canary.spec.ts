import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ExperimentHubApiModule, hubApiDocument } from '../../src/api/index.js';
import { ExperimentHubModule, MLOpsPlugin, TaskQueuePlugin } from '../../src/index.js';
import { vaultDriver } from '../hardening/vault.driver.js';
import { toy, toyTasks } from '../experiment/stack.js';

const TOKEN = 'canary-token-of-the-api';

// Every place from where a secret could come: the driver's options, the API's token, data of an experiment, URLs in tags.
describe('secrets', () => {
  let folder: string;
  let url: string;
  let close: () => Promise<void>;
  let paths: string[];
  const logged: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-api-secrets-'));
    for (const level of ['error', 'warn', 'log'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation((...args: unknown[]) => void logged.push(args.join(' ')));
    }
    const local = { type: 'local', config: { dataDir: folder } };
    const vault = {
      failAt: ['health', 'call', 'raw'],
      password: 'canary-password',
      url: 'amqp://someone:canary-url-password@host/x',
      tokens: ['canary-driver-token'],
    };
    @Module({
      imports: [
        ExperimentHubModule.forRoot({
          drivers: [vaultDriver],
          health: { details: true },
          config: {
            global: { workDir: join(folder, 'work') },
            plugins: {
              mlops: local,
              taskqueue: local,
              datastream: { type: 'vault', required: false, config: vault },
            },
            experiments: [toy({ data: { bias: 1, quality: 1, password: 'canary-data' } })],
          },
        }),
        ExperimentHubApiModule.forRoot({
          auth: { bearerTokens: [TOKEN] },
          tasks: 'any',
          queues: { read: 'any', send: 'any', manage: 'any' },
        }),
      ],
    })
    class App {}
    const app = await NestFactory.create(App, { abortOnError: false });
    await app.init();
    const tasks = app.get(TaskQueuePlugin);
    for (const [name, handler] of Object.entries(toyTasks)) await tasks.registerTask(`toy.${name}`, handler);
    await tasks.registerTask('leak', () => {
      throw new Error('at amqp://someone:canary-url-password@host with canary-password and canary-token-of-the-api');
    });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    close = () => app.close();
    const mlops = app.get(MLOpsPlugin);
    const { runId } = await mlops.startRun(await mlops.ensureExperiment('toy'), {
      tags: { 'mlflow.source.git.repoURL': 'https://someone:canary-git@host/x.git', note: 'canary-password' },
    });
    const taskId = await tasks.submitTask('leak');
    await tasks.getResult(taskId).catch(() => undefined);
    const known: Record<string, string> = { name: 'toy', queue: 'rows', runId, taskId };
    paths = Object.entries(hubApiDocument(app).paths).flatMap(([path, item]) =>
      Object.keys(item as object).map(
        (method) =>
          `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => known[name] ?? '')}`,
      ),
    );
  });
  afterAll(async () => {
    await close();
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });

  it('are in no answer and no line of the log', async () => {
    const bodies = [
      '{}',
      '{"rows":[1]}',
      '{"payload":1}',
      '{"name":"leak"}',
      '{"version":"1"}',
      '{"items":[{"value":1}]}',
    ];
    const statuses = new Set<number>();
    let asked = 0;
    for (const path of [...paths, ...paths, 'GET /api/nope', 'GET /health']) {
      const [method = '', target = ''] = path.split(' ');
      for (const body of method === 'POST' ? bodies : [undefined]) {
        const answer = await fetch(`${url}${target}${target.includes('history') ? '?key=x' : ''}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body }),
        });
        const text = await answer.text();
        expect(`${path} ${text} ${JSON.stringify([...answer.headers])}`).not.toContain('canary');
        statuses.add(answer.status);
        asked += 1;
      }
    }
    expect(asked).toBeGreaterThan(100);
    // It went through successes, faults of the request and faults of the server.
    for (const status of [200, 202, 400, 404, 409, 422, 503]) expect([...statuses]).toContain(status);
    expect(logged.some((line) => line.includes('urn:uuid:'))).toBe(true);
    // What the task itself says is the task queue's line, which knows its own secrets only.
    const lines = logged.filter((line) => !line.startsWith('task "leak"'));
    expect(lines.filter((line) => line.includes('canary'))).toEqual([]);
  });
});
