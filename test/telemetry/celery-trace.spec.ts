import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Controller, Module, Post, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context, propagation, trace } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import { DataStreamPlugin, Experiments, MLOpsPlugin, OnData, TaskQueuePlugin, type Training } from '../../src/index.js';
import { HubTelemetryModule } from '../../src/telemetry/index.js';
import { HubTestingModule } from '../../src/testing/index.js';
import { CeleryRoom, celeryNeeds } from '../celery/celery-room.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { idOf, RecordedSpans, traceOf } from './recorded-spans.js';

/** Where Python finds the tasks of this folder, those of the contract, and the helper. */
const PATHS = ['.', '../support/celery', '../../examples/python-worker']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .join(delimiter);

/** A span as Python's SDK prints it. */
interface PythonSpan {
  name: string;
  kind: string;
  context: { trace_id: string; span_id: string };
  parent_id: string | null;
  status: { status_code: string; description?: string };
  attributes: Record<string, string | number>;
  links: { context: { span_id: string } }[];
}

const trainings: Training[] = [];

@Controller()
class TrainController {
  constructor(
    private readonly stream: DataStreamPlugin,
    private readonly experiments: Experiments,
  ) {}

  @Post('train')
  async train(): Promise<void> {
    const bag = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), bag), () => this.stream.sendData('wishes', 1));
  }

  @OnData('wishes', { createQueue: true })
  async onWish(): Promise<void> {
    trainings.push(await this.experiments.train('toy'));
  }
}

const needs = celeryNeeds('rabbitmq');
const rabbitmq = neededService('rabbitmq');

describe.skipIf(needs.missing || rabbitmq.missing)(`a trace through RabbitMQ and Celery${needs.note}`, () => {
  const spans = new RecordedSpans();
  let folder: string;
  let room: CeleryRoom;
  let vhost: RabbitVhost;
  let app: INestApplication;

  const python = async (): Promise<PythonSpan[]> => {
    const text = await readFile(join(folder, 'spans'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as PythonSpan);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-traces-'));
    room = await CeleryRoom.open({ broker: 'rabbitmq' });
    vhost = await RabbitVhost.open('traces');
    const { brokerUrl, backendUrl, prefix: keyPrefix } = room;

    @Module({
      imports: [
        HubTestingModule.forRoot({
          config: {
            plugins: {
              datastream: { type: 'rabbitmq', config: { url: vhost.url } },
              taskqueue: { type: 'celery', config: { brokerUrl, backendUrl, keyPrefix, brokerKeyPrefix: keyPrefix } },
            },
            experiments: [{ name: 'toy', tasks: { train: 'traced.train', predict: 'traced.predict' } }],
          },
        }),
        HubTelemetryModule.forRoot({ tracing: true }),
      ],
      controllers: [TrainController],
    })
    class App {}

    const env = { PYTHONPATH: PATHS, HUB_SPANS: join(folder, 'spans') };
    const [built] = await Promise.all([
      Test.createTestingModule({ imports: [App] }).compile(),
      room.worker({ app: 'traced_tasks', env, concurrency: 1 }),
    ]);
    app = built.createNestApplication({ logger: false });
    const server = trace.getTracer('http');
    app.use((_request: unknown, _response: unknown, next: () => void) => {
      server.startActiveSpan('POST /train', (span) => {
        next();
        setTimeout(() => span.end(), 0);
      });
    });
    await app.listen(0, '127.0.0.1');
  }, 120_000);

  afterAll(async () => {
    await app?.close();
    await room?.close();
    await vhost?.remove();
    await spans.shutdown();
    await rm(folder, { recursive: true, force: true });
  });

  it('goes from the HTTP request to the Python worker and the run', { timeout: 90_000 }, async () => {
    expect((await fetch(`${await app.getUrl()}/train`, { method: 'POST' })).status).toBe(201);
    await eventually(() => trainings.length > 0, 'the training begins', 60_000);
    const outcome = await trainings[0]?.done;
    expect(outcome).toMatchObject({ status: 'FINISHED' });
    await eventually(async () => (await python()).length >= 2, 'the spans of Python', 60_000);

    const names = ['POST /train', 'send wishes', 'process wishes', 'train toy', 'send traced.train'];
    const chain = names.map((name) => spans.one(name));
    const traceId = traceOf(spans.one('POST /train'));
    expect(chain.map(traceOf)).toEqual(names.map(() => traceId));
    expect(chain.slice(1, 4).map((span) => span.parentSpanContext?.spanId)).toEqual(chain.slice(0, 3).map(idOf));
    expect(spans.one('process wishes').attributes['messaging.system']).toBe('rabbitmq');

    const submit = spans.one('send traced.train');
    const [fit, work] = await python();
    expect(work).toMatchObject({
      name: 'process traced.train',
      kind: 'SpanKind.CONSUMER',
      context: { trace_id: `0x${traceId}` },
      parent_id: `0x${idOf(submit)}`,
      attributes: {
        'messaging.system': 'celery',
        'messaging.message.id': trainings[0]?.taskId,
        'experiment_hub.task.attempt': 1,
      },
    });
    expect(work?.links.map((link) => link.context.span_id)).toEqual([`0x${idOf(submit)}`]);
    expect(fit).toMatchObject({ name: 'fit', parent_id: work?.context.span_id });

    const mlops = app.get(MLOpsPlugin);
    const { tags } = await mlops.getRun(outcome?.runId ?? '');
    expect(tags).toMatchObject({
      'hub.trace_id': traceId,
      'hub.traceparent': `00-${traceId}-${idOf(spans.one('train toy'))}-01`,
    });
    const model = await mlops.readArtifactBytes(outcome?.runId ?? '', 'model/model.json');
    const fitId = fit?.context.span_id.slice(2);
    expect(JSON.parse(model.toString())).toEqual({ traceparent: `00-${traceId}-${fitId}-01`, tenant: 'acme' });
  });

  it('has a span for each attempt, of which a retry is no failure', { timeout: 90_000 }, async () => {
    const before = (await python()).length;
    const tasks = app.get(TaskQueuePlugin);
    const taskId = await tasks.submitTask('traced.fail');
    await expect(tasks.getResult(taskId)).rejects.toMatchObject({ code: 'TASK_FAILED' });
    await eventually(async () => (await python()).length >= before + 2, 'the spans of Python', 60_000);
    const attempts = (await python()).slice(before);
    const submit = spans.one('send traced.fail');
    expect(attempts.map(({ context: { trace_id }, parent_id }) => [trace_id, parent_id])).toEqual(
      Array(2).fill([`0x${traceOf(submit)}`, `0x${idOf(submit)}`]),
    );
    expect(attempts.map(({ status }) => status)).toEqual([
      { status_code: 'UNSET' },
      { status_code: 'ERROR', description: 'no luck' },
    ]);
    expect(attempts.map(({ attributes }) => attributes['experiment_hub.task.attempt'])).toEqual([1, 2]);
    expect(attempts[1]?.attributes['error.type']).toBe('ValueError');
  });
});
