import { Controller, Injectable, Module, Post, type INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { context, propagation, trace } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import {
  DataStreamPlugin,
  ExperimentHub,
  Experiments,
  MLOpsPlugin,
  OnData,
  Redactor,
  RejectMessage,
  Task,
  TaskQueuePlugin,
  type Message,
  type TaskContext,
  type Training,
} from '../../src/index.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { HubTelemetry, HubTelemetryModule } from '../../src/telemetry/index.js';
import { HubTestingModule } from '../../src/testing/index.js';
import { facts, idOf, RecordedSpans, traceOf } from './recorded-spans.js';

let training: Training | undefined;

@Injectable()
class Work {
  constructor(private readonly experiments: Experiments) {}

  /** A message starts a training. */
  @OnData('wishes', { createQueue: true })
  async onWish(): Promise<void> {
    training = await this.experiments.train('toy');
  }

  @Task('toy.train')
  train({ headers }: TaskContext): object {
    const here = trace.getSpanContext(context.active());
    return { model: { json: { here: here?.traceId ?? '', header: headers['traceparent'] ?? '' } } };
  }

  @Task('toy.predict')
  predict({ kwargs }: TaskContext): unknown {
    return kwargs['rows'];
  }

  @OnData('bad', { createQueue: true })
  onBad(): never {
    throw new RejectMessage('no good');
  }
}

@Controller()
class WishController {
  constructor(private readonly stream: DataStreamPlugin) {}

  @Post('wish')
  async wish(): Promise<void> {
    await this.stream.sendData('wishes', { wish: 'a better model' });
  }
}

const experiment = {
  name: 'toy',
  tasks: { train: 'toy.train', predict: 'toy.predict' },
  streams: { input: 'rows', output: 'predictions' },
};

@Module({
  imports: [
    HubTestingModule.forRoot({ config: { experiments: [experiment] } }),
    HubTelemetryModule.forRoot({ tracing: true }),
  ],
  controllers: [WishController],
  providers: [Work],
})
class App {}

describe('tracing', () => {
  const spans = new RecordedSpans();
  let app: INestApplication;
  let stream: DataStreamPlugin;

  beforeAll(async () => {
    const built = await Test.createTestingModule({ imports: [App] }).compile();
    app = built.createNestApplication(new FastifyAdapter(), { logger: false });
    // What an instrumentation of HTTP does: a span of kind server around each request.
    const server = trace.getTracer('http');
    app.use((request: { method: string }, _response: unknown, next: () => void) => {
      server.startActiveSpan(`${request.method} /wish`, (span) => {
        next();
        setTimeout(() => span.end(), 0);
      });
    });
    await app.listen(0, '127.0.0.1');
    stream = app.get(DataStreamPlugin);
  });

  afterEach(() => spans.reset());

  afterAll(async () => {
    await app.close();
    await spans.shutdown();
  });

  it('is one trace from the HTTP request to the message, the training, its task and its run', async () => {
    const answer = await fetch(`${await app.getUrl()}/wish`, { method: 'POST' });
    expect(answer.status).toBe(201);
    await eventually(() => training !== undefined, 'the training begins', 30_000);
    const outcome = await training?.done;
    expect(outcome).toMatchObject({ status: 'FINISHED', version: '1' });
    await eventually(() => spans.names().includes('training toy'), 'its span ends', 30_000);

    const [request, send, process, train, submit, run, followed] = [
      'POST /wish',
      'send wishes',
      'process wishes',
      'train toy',
      'send toy.train',
      'process toy.train',
      'training toy',
    ].map((name) => spans.one(name));
    if (!request || !send || !process || !train || !submit || !run || !followed) throw new Error('a span is missing');
    const traceId = traceOf(request);
    expect([send, process, train, submit, run, followed].map(traceOf)).toEqual(Array(6).fill(traceId));
    expect([send, process, train, run].map((span) => span.parentSpanContext?.spanId)).toEqual(
      [request, send, process, submit].map(idOf),
    );
    expect(facts(send)).toMatchObject({
      kind: 'PRODUCER',
      attributes: {
        'messaging.system': 'local',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'wishes',
      },
    });
    expect(facts(process)).toMatchObject({
      kind: 'CONSUMER',
      attributes: { 'messaging.operation.type': 'process', 'experiment_hub.message.attempt': 1 },
    });
    expect(process.attributes['messaging.message.id']).toEqual(expect.any(String));
    expect(process.links.map((link) => link.context.spanId)).toEqual([idOf(send)]);
    expect(facts(followed).attributes).toMatchObject({
      'experiment_hub.training.outcome': 'FINISHED',
      'experiment_hub.model.version': '1',
      'experiment_hub.promotion.promoted': true,
    });

    const mlops = app.get(MLOpsPlugin);
    const { tags } = await mlops.getRun(outcome?.runId ?? '');
    expect(tags).toMatchObject({ 'hub.trace_id': traceId, 'hub.traceparent': `00-${traceId}-${idOf(train)}-01` });
    // What the task saw, as the model that it gave.
    const model = JSON.parse(
      (await mlops.readArtifactBytes(outcome?.runId ?? '', 'model/model.json')).toString(),
    ) as Record<string, string>;
    expect(model).toEqual({ here: traceId, header: `00-${traceId}-${idOf(run)}-01` });
  });

  it('gives a row and its prediction one trace, and links a batch to all rows', async () => {
    const experiments = app.get(Experiments);
    await eventually(async () => (await experiments.status('toy')).consumer === 'running', 'the stream runs', 30_000);
    spans.reset();
    const tracer = trace.getTracer('test');
    const seen: Message[] = [];
    await tracer.startActiveSpan('caller', async (span) => {
      await stream.sendData('rows', 1);
      span.end();
    });
    await eventually(
      async () => {
        const delivery = await stream.pullData('predictions', { ack: 'auto' });
        if (delivery !== null) seen.push(delivery);
        return seen.length > 0;
      },
      'the prediction arrives',
      30_000,
    );
    const traceId = traceOf(spans.one('caller'));
    expect(seen[0]?.headers['traceparent']).toBe(`00-${traceId}-${idOf(spans.one('send predictions'))}-01`);
    const predict = spans.one('predict toy');
    expect(traceOf(predict)).toBe(traceId);
    expect(predict.links.map((link) => link.context.spanId)).toEqual([idOf(spans.one('process rows'))]);
    expect(traceOf(spans.one('process toy.predict'))).toBe(traceId);
  });

  it('marks what failed with its code', async () => {
    await stream.sendData('bad', 1);
    await eventually(() => spans.names().includes('process bad'), 'the handler has run', 30_000);
    const failed = spans.one('process bad');
    expect(failed.status).toMatchObject({ code: 2, message: 'no good' });
    expect(failed.attributes['error.type']).toBe('error');
    await expect(stream.sendData('nowhere', 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(spans.one('send nowhere').attributes['error.type']).toBe('NOT_FOUND');
  });

  it('says no secret', async () => {
    const secret = 'canary-5e1f';
    const plugin = new LocalTaskQueuePlugin({ dataDir: ':memory:' });
    await app.get(ExperimentHub).registerPlugin(plugin, { name: 'secretive', redactor: new Redactor([secret]) });
    await plugin.registerTask('leak', () => {
      throw new Error(`cannot log in with ${secret} at amqp://user:${secret}@host`);
    });
    await expect(plugin.getResult(await plugin.submitTask('leak'))).rejects.toMatchObject({ code: 'TASK_FAILED' });
    await eventually(() => spans.names().includes('process leak'), 'the task has run', 30_000);
    const { status, attributes, events } = spans.one('process leak');
    expect(status.message).toBe('cannot log in with [redacted] at amqp://[redacted]@host');
    expect(JSON.stringify([attributes, events])).not.toContain(secret);
  });

  it('keeps the context that a sender gave, and needs none', async () => {
    await stream.createQueue('kept');
    const given = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await stream.sendBatch('kept', [{ payload: 1, headers: { traceparent: given, own: true } }, { payload: 2 }]);
    const [first, second] = await stream.pullBatch('kept', { max: 2, ack: 'auto' });
    expect(first?.headers).toEqual({ traceparent: given, own: true });
    const send = spans.one('send kept');
    expect(second?.headers).toEqual({ traceparent: `00-${traceOf(send)}-${idOf(send)}-01` });
    // Nobody has asked within a span of his own.
    expect(spans.names()).toEqual(['send kept']);
    const telemetry = app.get(HubTelemetry);
    const inside = telemetry.within(first?.headers ?? {}, () => trace.getSpanContext(context.active())?.traceId);
    expect(inside).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  it('carries baggage', async () => {
    await stream.createQueue('bags');
    const bag = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), bag), () => stream.sendData('bags', 1));
    const received: string[] = [];
    const subscription = await stream.subscribe('bags', () => {
      received.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none');
    });
    await eventually(() => received.length > 0, 'the message arrives', 30_000);
    await subscription.close();
    expect(received).toEqual(['acme']);
  });

  it('links a batch to the spans that sent its messages', async () => {
    await stream.createQueue('batched');
    await stream.sendData('batched', 1);
    await stream.sendData('batched', 2);
    const subscription = await stream.subscribeBatch('batched', () => undefined, { size: 2 });
    await eventually(() => spans.names().includes('process batched'), 'the batch arrives', 30_000);
    await subscription.close();
    const batch = spans.one('process batched');
    const sent = spans.all.filter(({ name }) => name === 'send batched');
    expect(batch.links.map((link) => link.context.spanId)).toEqual(sent.map(idOf));
    expect(batch.parentSpanContext).toBeUndefined();
    expect(batch.attributes['messaging.batch.message_count']).toBe(2);
  });

  it('runs tasks of modules in their context, also in threads', async () => {
    const tasks = app.get(TaskQueuePlugin);
    await tasks.registerTasks(new URL('./thread-tasks.ts', import.meta.url));
    const taskId = await tasks.submitTask('thread.where', { headers: { own: 1 } });
    const seen = await tasks.getResult(taskId);
    const [submit, run] = [spans.one('send thread.where'), spans.one('process thread.where')];
    expect(run.parentSpanContext?.spanId).toBe(idOf(submit));
    expect(traceOf(run)).toBe(traceOf(submit));
    const traceparent = `00-${traceOf(run)}-${idOf(run)}-01`;
    expect(seen).toEqual({ active: { traceId: traceOf(run), spanId: idOf(run) }, headers: { own: 1, traceparent } });
  });

  it('traces calls of backends within a span only', async () => {
    const tasks = app.get(TaskQueuePlugin);
    await tasks.getStatus('unknown');
    expect(spans.names()).toEqual([]);
    await trace.getTracer('test').startActiveSpan('caller', async (span) => {
      await tasks.getStatus('unknown');
      span.end();
    });
    const { kind, parent } = facts(spans.one('taskqueue getStatus'));
    expect([kind, parent]).toEqual(['CLIENT', idOf(spans.one('caller'))]);
  });
});
