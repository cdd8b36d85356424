import * as api from '@opentelemetry/api';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Telemetry } from '../../src/core/telemetry.js';
import { PluginRegistry } from '../../src/core/plugin-registry.js';
import { eventually } from '../../src/core/contract.js';
import { HubTelemetry } from '../../src/telemetry/index.js';
import { telemetryParts } from '../../src/telemetry/telemetry-parts.js';
import { Stack, toy } from '../experiment/stack.js';
import { facts, idOf, RecordedSpans, traceOf } from './recorded-spans.js';

describe('a training that another hub takes up', () => {
  const spans = new RecordedSpans();
  let stack: Stack;
  let letTrain: () => void;
  let telemetry: Telemetry;

  beforeEach(async () => {
    const allowed = new Promise<void>((resolve) => (letTrain = resolve));
    stack = await Stack.open({
      train: async ({ kwargs }) => {
        await allowed;
        return { model: { json: kwargs['data'] ?? null } };
      },
    });
    const parts = await telemetryParts({ tracing: true, metrics: true }, new PluginRegistry());
    telemetry = new Telemetry();
    telemetry.attach(new HubTelemetry(parts));
  });

  afterEach(async () => {
    spans.reset();
    await stack.close();
  });

  afterAll(() => spans.shutdown());

  it('stays in the trace that began it', async () => {
    const first = stack.hub(toy(), { telemetry });
    const { runId, done } = await api.trace.getTracer('test').startActiveSpan('caller', async (span) => {
      const training = await first.train('toy');
      span.end();
      return training;
    });
    await first.stop();
    expect(await done).toMatchObject({ status: 'RUNNING' });
    const [caller, train] = [spans.one('caller'), spans.one('train toy')];
    expect(facts(train).parent).toBe(idOf(caller));
    const { tags } = await stack.mlops.getRun(runId);
    expect(tags['hub.traceparent']).toBe(`00-${traceOf(caller)}-${idOf(train)}-01`);
    spans.reset();

    const second = stack.hub(toy(), { telemetry });
    const [recovered] = await second.recover();
    letTrain();
    expect(await recovered?.done).toMatchObject({ runId, status: 'FINISHED' });
    await eventually(() => spans.names().includes('training toy'), 'its span ends');
    const followed = spans.one('training toy');
    expect([traceOf(followed), facts(followed).parent]).toEqual([traceOf(caller), idOf(train)]);
    expect(followed.attributes['experiment_hub.training.outcome']).toBe('FINISHED');
    spans.reset();

    // One that has ended is only looked up.
    const again = await second.train('toy', { triggerId: tags['hub.trigger_id'] ?? '' });
    expect(await again.done).toMatchObject({ runId, status: 'FINISHED' });
    expect(spans.names()).toEqual(['train toy']);
  });

  it('has no tags of a trace where there is none', async () => {
    letTrain();
    const { runId, done } = await stack.hub().train('toy');
    await done;
    const { tags } = await stack.mlops.getRun(runId);
    expect(Object.keys(tags).filter((key) => key.startsWith('hub.trace'))).toEqual([]);
  });
});
