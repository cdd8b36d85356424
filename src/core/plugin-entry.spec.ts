import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubLogger } from './hub-logger.js';
import type { JsonObject } from './json.js';
import { PluginEntry } from './plugin-entry.js';
import { PluginRegistry } from './plugin-registry.js';
import { HubPlugin } from './plugin.js';
import { Redactor } from './redact.js';

/** A plugin that starts and works as these tests tell it. */
class Lamp extends HubPlugin {
  override readonly pluginType = 'lamp';
  override readonly driver = 'bulb';
  override readonly supports = {};
  failures = 0;
  broken = false;
  opening: Promise<void> = Promise.resolve();
  readonly journal: string[] = [];

  protected async onInitialize(): Promise<void> {
    if (this.failures-- > 0) throw this.error('UNAVAILABLE', 'initialize', 'no current');
    await this.opening;
    this.journal.push('open');
  }
  protected async onShutdown(): Promise<void> {
    this.journal.push('closed');
  }
  protected async onHealthCheck(): Promise<JsonObject> {
    if (this.broken) throw new Error('dark');
    return {};
  }
}

describe('PluginEntry', () => {
  const logger = new HubLogger();
  logger.level = 'fatal';
  let lamp: Lamp;
  let entry: PluginEntry;
  beforeEach(() => {
    lamp = new Lamp();
    const policy = { name: 'bulb', named: false, required: false, initTimeout: 1_000, redactor: new Redactor() };
    entry = new PluginEntry(lamp, policy, logger);
  });
  afterEach(() => entry.stop());

  it('tries a consumer that failed again, and not those that started', async () => {
    lamp.failures = 1;
    await entry.start();
    const runs = { good: 0, flaky: 0, last: 0 };
    await entry.whenUp(() => void (runs.good += 1));
    await entry.whenUp(() => {
      runs.flaky += 1;
      if (runs.flaky === 1) throw new Error('no queue yet');
    });
    await entry.whenUp(() => void (runs.last += 1));
    await expect.poll(() => runs.flaky, { timeout: 5_000 }).toBe(1);
    expect(entry.status()).toMatchObject({ state: 'down', lastError: { message: 'no queue yet' } });
    await entry.checkHealth();
    expect(entry.state).toBe('down');
    await expect.poll(() => entry.state, { timeout: 8_000 }).toBe('up');
    expect(runs).toEqual({ good: 1, flaky: 2, last: 1 });
  }, 15_000);

  it('starts what waited while it was down as soon as its health is back', async () => {
    await entry.start();
    lamp.broken = true;
    await entry.checkHealth();
    let runs = 0;
    await entry.whenUp(() => void (runs += 1));
    await entry.checkHealth();
    expect(runs).toBe(0);
    lamp.broken = false;
    await entry.checkHealth();
    await expect.poll(() => runs).toBe(1);
    await entry.checkHealth();
    expect([runs, entry.state]).toEqual([1, 'up']);
  });

  it('goes on trying a consumer that fails after a recovery', async () => {
    await entry.start();
    lamp.broken = true;
    await entry.checkHealth();
    let runs = 0;
    await entry.whenUp(() => {
      runs += 1;
      if (runs === 1) throw new Error('not yet');
    });
    lamp.broken = false;
    await entry.checkHealth();
    await expect.poll(() => [runs, entry.state], { timeout: 5_000 }).toEqual([2, 'up']);
  }, 10_000);

  it('passes on what a consumer throws when the plugin is up', async () => {
    await entry.start();
    await expect(
      entry.whenUp(() => {
        throw new Error('no queue');
      }),
    ).rejects.toThrow('no queue');
    expect(entry.state).toBe('up');
  });

  it('keeps a failure that is no error and cannot be shown', async () => {
    await entry.start();
    lamp.broken = true;
    await entry.checkHealth();
    await entry.whenUp(() => {
      throw Object.assign(new Error('x'), { message: ['a', 'b'] });
    });
    lamp.broken = false;
    await entry.checkHealth();
    await expect.poll(() => entry.status().lastError?.message).toBe('a,b');
  });
});

describe('PluginRegistry.register', () => {
  it('closes a required plugin that opens after its initTimeout', async () => {
    const registry = new PluginRegistry();
    registry.logger.level = 'fatal';
    await registry.onModuleInit();
    const lamp = new Lamp();
    let open: () => void = () => undefined;
    lamp.opening = new Promise((resolve) => (open = resolve));
    await expect(registry.register(lamp, { required: true, initTimeout: 20 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    expect(registry.entries).toEqual([]);
    open();
    await expect.poll(() => lamp.journal).toEqual(['open', 'closed']);
  });
});

describe('PluginRegistry.abandonBoot', () => {
  it('closes everything that was opened', async () => {
    const registry = new PluginRegistry();
    registry.logger.level = 'fatal';
    const lamp = new Lamp();
    registry.add(lamp);
    await registry.onModuleInit();
    await registry.abandonBoot();
    expect(lamp.journal).toEqual(['open', 'closed']);
    expect(registry.list()).toMatchObject([{ state: 'stopped' }]);
  });
});

describe('PluginRegistry.find', () => {
  it('takes a type for its plugin without a name, else for the first one', () => {
    const registry = new PluginRegistry();
    const second = registry.add(new Lamp(), { name: 'second' });
    expect(registry.find('lamp')).toBe(second);
    const first = registry.add(new Lamp());
    expect(registry.find('lamp')).toBe(first);
    expect(registry.find('lamp', 'second')).toBe(second);
    expect(registry.find('lamp', 'third')).toBeUndefined();
  });
});
