import { trace } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';
import { observed } from './observed-plugin.js';
import { facts, idOf, RecordedSpans, traceOf } from './recorded-spans.js';

const redis = neededService('redis');

describe.skipIf(redis.missing)(`a trace through BullMQ${redis.note}`, () => {
  const spans = new RecordedSpans();
  let room: BullMQRoom;

  beforeAll(() => {
    room = new BullMQRoom(redis.address);
  });

  afterAll(async () => {
    await room.close();
    await spans.shutdown();
  });

  it('goes on in handlers and in threads of another process', async () => {
    // Two plugins, as two processes have them.
    const [here, there] = [await observed(room.make()), await observed(room.make())];
    await Promise.all([here.initialize(), there.initialize()]);
    await there.registerTask('where', ({ headers }) => ({
      active: trace.getActiveSpan()?.spanContext().spanId ?? '',
      headers,
    }));
    await there.registerTasks(new URL('./thread-tasks.ts', import.meta.url));
    for (const [name, active] of [
      ['where', (id: string) => id],
      ['thread.where', (spanId: string, traceId: string) => ({ traceId, spanId })],
    ] as const) {
      spans.reset();
      const [taskId = ''] = await here.submitTasks([{ name, headers: { own: 1 } }]);
      const seen = await here.getResult(taskId);
      const [submit, run] = [spans.one('send'), spans.one(`process ${name}`)];
      expect([traceOf(run), facts(run).parent]).toEqual([traceOf(submit), idOf(submit)]);
      expect(run.attributes['messaging.system']).toBe('bullmq');
      expect(seen).toEqual({
        active: active(idOf(run), traceOf(run)),
        headers: { own: 1, traceparent: `00-${traceOf(run)}-${idOf(run)}-01` },
      });
    }
  });
});
