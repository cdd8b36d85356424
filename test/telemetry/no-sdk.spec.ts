import { describe, expect, it } from 'vitest';
import { PluginRegistry } from '../../src/core/plugin-registry.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import type { TaskContext } from '../../src/taskqueue/taskqueue.types.js';
import { HubTelemetry } from '../../src/telemetry/index.js';
import { telemetryParts } from '../../src/telemetry/telemetry-parts.js';
import type { HubTelemetryOptions } from '../../src/telemetry/telemetry.options.js';

/** What a message and a task carry, and what their handlers get. */
async function headersWith(options: HubTelemetryOptions | undefined): Promise<unknown> {
  const registry = new PluginRegistry();
  const stream = new LocalDataStreamPlugin({ dataDir: ':memory:' });
  const tasks = new LocalTaskQueuePlugin({ dataDir: ':memory:' });
  registry.logger.level = 'error';
  registry.add(stream);
  if (options !== undefined) registry.observe(new HubTelemetry(await telemetryParts(options, registry)));
  registry.add(tasks);
  await registry.onModuleInit();
  try {
    await stream.createQueue('q');
    await stream.sendData('q', 1);
    await stream.sendData('q', 2, { headers: { traceparent: 'mine', own: [1] } });
    await stream.sendBatch('q', [{ payload: 3, headers: { own: null } }]);
    const pulled = await stream.pullBatch('q', { max: 3, ack: 'auto' });
    let seen: TaskContext | undefined;
    await tasks.registerTask('look', (task) => void (seen = task));
    await tasks.getResult(await tasks.submitTask('look', { headers: { traceparent: 'mine', a: 1 } }));
    return { pulled: pulled.map(({ headers }) => headers), task: seen?.headers };
  } finally {
    await registry.abandonBoot();
  }
}

// In a file of its own: an SDK that another suite registers is there for the whole process.
describe('without an SDK', () => {
  it('headers are what they are without telemetry', async () => {
    const before = await headersWith(undefined);
    expect(before).toEqual({
      pulled: [{}, { traceparent: 'mine', own: [1] }, { own: null }],
      task: { traceparent: 'mine', a: 1 },
    });
    expect(await headersWith({ tracing: true })).toEqual(before);
    expect(await headersWith({ metrics: true })).toEqual(before);
  });

  it('nothing stands in front of a plugin until there is telemetry', async () => {
    const registry = new PluginRegistry();
    const stream = new LocalDataStreamPlugin({ dataDir: ':memory:' });
    registry.add(stream);
    const own = Object.keys(stream);
    const { sendData } = LocalDataStreamPlugin.prototype;
    expect(stream.sendData).toBe(sendData);
    registry.observe(new HubTelemetry(await telemetryParts({ tracing: true }, registry)));
    expect(stream.sendData).not.toBe(sendData);
    // What prints or copies a plugin sees it as before.
    expect(Object.keys(stream)).toEqual(own);
  });

  it('what is wrong with arguments is said as before', async () => {
    const registry = new PluginRegistry();
    const stream = new LocalDataStreamPlugin({ dataDir: ':memory:' });
    registry.logger.level = 'error';
    registry.add(stream);
    registry.observe(new HubTelemetry(await telemetryParts({ tracing: true, metrics: true }, registry)));
    await expect(stream.sendData('q', 1)).rejects.toMatchObject({ code: 'CLOSED' });
    await registry.onModuleInit();
    await stream.createQueue('q');
    const wrong = (call: Promise<unknown>): Promise<void> =>
      expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await wrong(stream.sendData('q', 1, { headers: ['a'] as never }));
    await wrong(stream.sendData('q', 1, { headers: null as never }));
    await wrong(stream.subscribe('q', 'no function' as never));
    await wrong(stream.subscribe('q', () => undefined, { concurrency: 0 }));
    await registry.abandonBoot();
  });
});
