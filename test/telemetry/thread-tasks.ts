import { context, trace } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { defineTasks } from '../../src/taskqueue/taskqueue.types.js';

// Each thread has an SDK of its own.
new NodeTracerProvider().register();

export default defineTasks({
  'thread.where': async ({ headers }) => {
    await Promise.resolve();
    const { traceId = '', spanId = '' } = trace.getSpanContext(context.active()) ?? {};
    return { active: { traceId, spanId }, headers };
  },
});
