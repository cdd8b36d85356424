import { afterEach, describe, expect, it, vi } from 'vitest';
import { PluginRegistry } from '../../src/core/plugin-registry.js';
import type { Experiments } from '../../src/experiment/index.js';
import { ExperimentsLifecycle } from '../../src/hub/experiments.lifecycle.js';
import { withChaos, type ChaosRule } from '../../src/testing/chaos.js';
import { Stack, toy } from './stack.js';

const streams = { input: 'rows', output: 'predictions', retry: { attempts: 1 } };

describe('life of the experiments in an application', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  /** A hub on the stack's plugins, registered as in an application, with faults between it and the MLOps backend. */
  async function boot(...rules: ChaosRule[]) {
    const chaos = withChaos(stack.mlops, rules);
    stack.mlops = chaos.plugin;
    const hub: Experiments = stack.hub(toy({ streams }));
    const registry = new PluginRegistry();
    for (const plugin of [stack.mlops, stack.stream, stack.tasks]) registry.add(plugin);
    await registry.onModuleInit();
    return { chaos, hub, registry, lifecycle: new ExperimentsLifecycle(hub, registry) };
  }

  it('starts the streams later when a backend is away at the start', async () => {
    stack = await Stack.open();
    const { chaos, hub, lifecycle } = await boot({ fault: 'disconnect', times: 1 });
    await lifecycle.onApplicationBootstrap();
    expect(chaos.faults).toHaveLength(1);
    chaos.reconnect();
    expect((await hub.status('toy')).consumer).toBe('off');
    await expect.poll(async () => (await hub.status('toy')).consumer, { timeout: 5_000 }).toBe('waiting');
    lifecycle.onModuleDestroy();
    await lifecycle.beforeApplicationShutdown();
    expect((await hub.status('toy')).consumer).toBe('off');
  });

  it('ends the attempts with the application', async () => {
    stack = await Stack.open();
    const { chaos, hub, lifecycle } = await boot({ fault: 'disconnect', times: 1 });
    await lifecycle.onApplicationBootstrap();
    lifecycle.onModuleDestroy();
    const since = Date.now();
    await lifecycle.beforeApplicationShutdown();
    expect(Date.now() - since).toBeLessThan(800);
    chaos.reconnect();
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect((await hub.status('toy')).consumer).toBe('off');
  });

  it('starts nothing any more when the application closes while trainings are recovered', async () => {
    stack = await Stack.open();
    const { hub, lifecycle } = await boot({ fault: 'delay', delay: 300 });
    const booting = lifecycle.onApplicationBootstrap();
    lifecycle.onModuleDestroy();
    await Promise.all([booting, lifecycle.beforeApplicationShutdown()]);
    expect((await hub.status('toy')).consumer).toBe('off');
    await expect(stack.stream.queueInfo('rows')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('abandons rows in hand at the shutdown deadline, and says so', async () => {
    let begun = 0;
    stack = await Stack.open({
      predict: ({ signal }) => {
        begun += 1;
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      },
    });
    const { hub, lifecycle, registry } = await boot();
    await (
      await hub.train('toy')
    ).done;
    await lifecycle.onApplicationBootstrap();
    await stack.stream.sendData('rows', 1);
    await expect.poll(() => begun).toBe(1);
    registry.shutdownTimeout = 300;
    const logged = vi.spyOn(registry.logger, 'error');
    registry.onModuleDestroy();
    lifecycle.onModuleDestroy();
    const since = Date.now();
    await lifecycle.beforeApplicationShutdown();
    expect(Date.now() - since).toBeLessThan(2_000);
    expect(logged.mock.calls.flat()).toContainEqual(expect.stringContaining('abandoned'));
  });
});
