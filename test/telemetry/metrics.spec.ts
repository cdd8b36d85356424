import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Injectable, Module, type CanActivate, type INestApplication, type Type } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import {
  DataStreamPlugin,
  ExperimentHub,
  Experiments,
  HubError,
  OnData,
  Task,
  TaskQueuePlugin,
  type TaskContext,
} from '../../src/index.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { HubTelemetry, HubTelemetryModule, type HubTelemetryOptions } from '../../src/telemetry/index.js';
import { HUB_METRICS } from '../../src/telemetry/metric-definitions.js';
import { MAX_LABEL_VALUES } from '../../src/telemetry/prometheus-meter.js';
import { HubTestingModule } from '../../src/testing/index.js';
import { parseMetrics, type Sample } from './prometheus-text.js';

@Injectable()
class Work {
  @Task('toy.train')
  train({ kwargs }: TaskContext): object {
    if ((kwargs['params'] as { fail?: boolean }).fail === true) throw new Error('no luck');
    return { model: { json: {} } };
  }

  @Task('toy.predict')
  predict({ kwargs }: TaskContext): unknown {
    return { predictions: kwargs['rows'], errors: { 0: 'odd' } };
  }

  @OnData('data', { createQueue: true, retry: { attempts: 2, delay: 1 } })
  onData({ payload }: { payload: unknown }): void {
    if (payload === 'bad') throw new Error('bad');
  }
}

const experiment = { name: 'toy', tasks: { train: 'toy.train', predict: 'toy.predict' }, metric: 'accuracy' };

const apps: INestApplication[] = [];

async function start(options: HubTelemetryOptions, adapter?: FastifyAdapter, guard?: Type): Promise<INestApplication> {
  @Module({
    imports: [HubTestingModule.forRoot({ config: { experiments: [experiment] } }), HubTelemetryModule.forRoot(options)],
    providers: [Work, ...(guard === undefined ? [] : [guard])],
  })
  class App {}
  const built = await Test.createTestingModule({ imports: [App] }).compile();
  const app =
    adapter === undefined
      ? built.createNestApplication({ logger: false })
      : built.createNestApplication(adapter, { logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

async function scrape(app: INestApplication, path = 'metrics'): Promise<Sample[]> {
  const answer = await fetch(`${await app.getUrl()}/${path}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return parseMetrics(await answer.text());
}

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

describe.each([
  ['Express', () => undefined],
  ['Fastify', () => new FastifyAdapter()],
])('metrics on %s', (_platform, adapter) => {
  it('count what was done', async () => {
    const app = await start({ metrics: { path: 'metrics', auth: 'none' } }, adapter());
    const [stream, tasks, experiments] = [app.get(DataStreamPlugin), app.get(TaskQueuePlugin), app.get(Experiments)];
    await stream.sendData('data', 'good');
    await stream.sendBatch('data', [{ payload: 'bad' }, { payload: 'good' }]);
    await eventually(async () => (await stream.queueInfo('data')).deadLetters === 1, 'a dead letter', 30_000);
    await expect(stream.sendData('nowhere', 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await tasks.getResult(await tasks.submitTask('toy.predict', { kwargs: { rows: [] } }));
    const { done } = await experiments.train('toy');
    expect(await done).toMatchObject({ status: 'FINISHED' });
    const { done: failed } = await experiments.train('toy', { params: { fail: true } });
    expect(await failed).toMatchObject({ status: 'FAILED' });
    await experiments.predict('toy', [1, 2, 3]);
    await experiments.feedback('toy', [{ value: 1 }, { value: 0 }]);
    await app.get(ExperimentHub).checkPluginHealth();

    const samples = await scrape(app);
    const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
      samples.find(
        (sample) =>
          sample.name === `experiment_hub_${name}` &&
          Object.entries(labels).every(([key, wanted]) => sample.labels[key] === wanted),
      )?.value;
    expect(value('plugin_up', { type: 'mlops', name: 'local', driver: 'local' })).toBe(1);
    expect(value('plugin_ready', { type: 'taskqueue' })).toBe(1);
    expect(value('plugin_health_check_duration_seconds_count', { type: 'datastream', outcome: 'healthy' })).toBe(1);
    const sends = { type: 'datastream', operation: 'sendData' };
    expect(value('operation_duration_seconds_count', { ...sends, outcome: 'ok' })).toBe(1);
    expect(value('operation_duration_seconds_count', { ...sends, outcome: 'NOT_FOUND' })).toBe(1);
    expect(value('operation_duration_seconds_count', { operation: 'searchRuns', outcome: 'ok' })).toBeGreaterThan(0);
    expect(value('operations_in_flight', { type: 'datastream' })).toBe(0);
    expect(value('messages_sent_total', { queue: 'data' })).toBe(3);
    expect(value('messages_handled_total', { queue: 'data', outcome: 'acked' })).toBe(2);
    expect(value('messages_handled_total', { queue: 'data', outcome: 'retried' })).toBe(1);
    expect(value('messages_handled_total', { queue: 'data', outcome: 'dead_lettered' })).toBe(1);
    expect(value('messages_dead_lettered_total', { queue: 'data', reason: 'failed' })).toBe(1);
    expect(value('message_handling_duration_seconds_count', { queue: 'data', outcome: 'error' })).toBe(2);
    expect(value('messages_in_flight', { queue: 'data' })).toBe(0);
    expect(value('tasks_submitted_total', { task: 'toy.train' })).toBe(2);
    expect(value('tasks_ended_total', { state: 'SUCCESS' })).toBe(3);
    expect(value('tasks_ended_total', { state: 'FAILURE' })).toBe(1);
    expect(value('task_run_duration_seconds_count', { task: 'toy.train', outcome: 'ok' })).toBe(1);
    expect(value('task_run_duration_seconds_count', { task: 'toy.train', outcome: 'error' })).toBe(1);
    expect(value('task_runs_in_flight', { task: 'toy.train' })).toBe(0);
    expect(value('trainings_started_total', { experiment: 'toy', trigger: 'manual' })).toBe(2);
    expect(value('trainings_total', { experiment: 'toy', outcome: 'finished' })).toBe(1);
    expect(value('trainings_total', { experiment: 'toy', outcome: 'failed' })).toBe(1);
    expect(value('training_duration_seconds_count', { experiment: 'toy', outcome: 'finished' })).toBe(1);
    expect(value('trainings_in_flight', { experiment: 'toy' })).toBe(0);
    expect(value('promotions_total', { experiment: 'toy', decision: 'promoted' })).toBe(1);
    expect(value('predictions_total', { experiment: 'toy', outcome: 'ok' })).toBe(2);
    expect(value('predictions_total', { experiment: 'toy', outcome: 'row_error' })).toBe(1);
    expect(value('prediction_duration_seconds_count', { experiment: 'toy', outcome: 'ok' })).toBe(1);
    expect(value('feedback_items_total', { experiment: 'toy' })).toBe(2);
    expect(value('rolling_metric', { experiment: 'toy', metric: 'accuracy' })).toBe(0.5);
    expect(value('rolling_metric_samples', { experiment: 'toy' })).toBe(2);
  });
});

describe('the endpoint of metrics', () => {
  it('is behind its guards', async () => {
    @Injectable()
    class Key implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    const app = await start({ metrics: { path: 'internal/metrics', guards: [Key] } });
    const answer = await fetch(`${await app.getUrl()}/internal/metrics`);
    expect(answer.status).toBe(403);
    expect(await answer.text()).not.toContain('plugin_up');
  });

  it('is not there unless asked for', async () => {
    const app = await start({ metrics: true });
    expect((await fetch(`${await app.getUrl()}/metrics`)).status).toBe(404);
    expect(await app.get(HubTelemetry).metrics()).toContain('experiment_hub_plugin_up{');
  });

  it.each([
    [{ path: 'metrics' }, "metrics.auth: 'none'"],
    [{ auth: 'none' }, 'metrics.path'],
    [{ path: 'metrics', auth: 'none', guards: [{ canActivate: () => true }] }, 'exclude each other'],
    [{ prefix: '1-' }, 'metrics.prefix'],
  ] as const)('refuses %j', (metrics, words) => {
    const options = { metrics } as unknown as HubTelemetryOptions;
    const build = (): unknown => HubTelemetryModule.forRoot(options);
    expect(build).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(build).toThrow(words);
  });
});

describe('metrics', () => {
  it('go into the registry of the application, with those of Node', async () => {
    const registry = new Registry();
    const app = await start({
      metrics: { path: 'm', auth: 'none', registry, prefix: 'shop_', defaultMetrics: true },
    });
    const names = new Set((await scrape(app, 'm')).map(({ name }) => name));
    expect(names).toContain('shop_plugin_up');
    expect(names).toContain('process_cpu_user_seconds_total');
    expect(names).toContain('nodejs_eventloop_lag_seconds');
    registry.clear();
  });

  it('are all there from the start', async () => {
    const app = await start({ metrics: true });
    const text = await app.get(HubTelemetry).metrics();
    const kinds = { upDown: 'gauge', gauge: 'gauge', counter: 'counter', histogram: 'histogram' };
    for (const { name, type, help } of HUB_METRICS) {
      expect(text).toContain(`# HELP experiment_hub_${name} ${help}\n# TYPE experiment_hub_${name} ${kinds[type]}\n`);
    }
  });

  it('are those of the documentation', () => {
    const path = fileURLToPath(new URL('../../docs/observability.md', import.meta.url));
    const rows = readFileSync(path, 'utf8').matchAll(/^\| `(\w+)` +\| (\w+) +\| ((?:`\w+` ?)+)/gm);
    const told = [...rows].map(([, name, type, labels = '']) => [name, type, labels.match(/\w+/g)]);
    const real = HUB_METRICS.map(({ name, type, labels }) => [name, type === 'upDown' ? 'gauge' : type, [...labels]]);
    expect(told).toEqual(real);
  });

  it('keep their labels few', async () => {
    const app = await start({ metrics: { path: 'metrics', auth: 'none' } });
    const stream = app.get(DataStreamPlugin);
    for (let index = 0; index < MAX_LABEL_VALUES + 5; index += 1) {
      await stream.createQueue(`q${index}`);
      await stream.sendData(`q${index}`, index);
    }
    const sent = (await scrape(app)).filter(({ name }) => name === 'experiment_hub_messages_sent_total');
    expect(sent).toHaveLength(MAX_LABEL_VALUES + 1);
    expect(sent.find(({ labels }) => labels['queue'] === 'other')?.value).toBe(5);
  });

  it('show a plugin that is registered later, and one that is down', async () => {
    const app = await start({ metrics: { path: 'metrics', auth: 'none' } });
    const hub = app.get(ExperimentHub);
    const second = new LocalDataStreamPlugin({ dataDir: ':memory:' });
    await hub.registerPlugin(second, { name: 'second' });
    await second.createQueue('own');
    await second.sendData('own', 1);
    const up = async (): Promise<number | undefined> =>
      (await scrape(app)).find(({ name, labels }) => name === 'experiment_hub_plugin_up' && labels['name'] === 'second')
        ?.value;
    expect(await up()).toBe(1);
    const sent = (await scrape(app)).find(({ name }) => name === 'experiment_hub_messages_sent_total');
    expect(sent).toMatchObject({ labels: { name: 'second', driver: 'local', queue: 'own' }, value: 1 });
    await second.shutdown();
    await hub.checkPluginHealth();
    expect(await up()).toBe(0);
  });

  it('are UNSUPPORTED when they are off, and telemetry is given once', async () => {
    const app = await start({ tracing: true });
    const telemetry = app.get(HubTelemetry);
    await expect(telemetry.metrics()).rejects.toSatisfy((error) => HubError.is(error, 'UNSUPPORTED'));
    const twice = Test.createTestingModule({
      imports: [HubTelemetryModule.forRoot({ metrics: true }), HubTelemetryModule.forRoot({ tracing: true })],
    });
    await expect(twice.compile()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});
