import {
  Global,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type OnModuleInit,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import Joi from 'joi';
import { afterEach, describe, expect, it } from 'vitest';
import { defineDriver, type DriverDescriptor } from './driver.js';
import { HubError } from './errors.js';
import type { JsonObject } from './json.js';
import { definePluginModule } from './plugin-module.js';
import { PluginHealthIndicator } from './plugin-health.js';
import { PluginRegistry } from './plugin-registry.js';
import { HubPlugin } from './plugin.js';
import { HealthIndicatorService } from '@nestjs/terminus';

/** A plugin type made up for these tests: it notes every step of its life in a shared journal. */
abstract class PumpPlugin extends HubPlugin {
  override readonly pluginType = 'pump';
  abstract work(): Promise<string>;
}

interface PumpOptions {
  url: string;
  failures: number;
  drainMs: number;
}

const journal: string[] = [];

class RealPump extends PumpPlugin {
  override readonly supports = {};
  #failuresLeft: number;
  broken = false;
  facts: JsonObject = { pressure: 3 };

  constructor(
    override readonly driver: string,
    private readonly options: PumpOptions,
  ) {
    super();
    this.#failuresLeft = options.failures;
  }

  async work(): Promise<string> {
    this.ensureOpen('work');
    return `${this.driver} works`;
  }

  protected async onInitialize(): Promise<void> {
    if (this.#failuresLeft-- > 0) throw this.error('UNAVAILABLE', 'initialize', `no route to ${this.options.url}`);
    journal.push(`${this.driver} open`);
  }
  protected override async onDrain(): Promise<void> {
    journal.push(`${this.driver} drain`);
    await new Promise((resolve) => setTimeout(resolve, this.options.drainMs));
    journal.push(`${this.driver} drained`);
  }
  protected async onShutdown(): Promise<void> {
    journal.push(`${this.driver} closed`);
  }
  protected async onHealthCheck(): Promise<JsonObject> {
    if (this.broken) throw new Error(`lost ${this.options.url}`);
    return this.facts;
  }
}

const schema = Joi.object<PumpOptions>({
  url: Joi.string().default('pump://local').meta({ secret: true }),
  failures: Joi.number().default(0),
  drainMs: Joi.number().default(0),
});

function pumpDriver(name: string, load?: () => Promise<unknown>): DriverDescriptor<PumpOptions> {
  @Module({})
  class PumpModule {
    static register(options: PumpOptions): DynamicModule {
      const plugin = { provide: PumpPlugin, useFactory: () => new RealPump(name, options) };
      return { module: PumpModule, providers: [plugin], exports: [plugin] };
    }
  }
  const descriptor = { type: 'pump', name, label: name, peers: ['left-pump'], schema, load: async () => PumpModule };
  return defineDriver(load === undefined ? descriptor : { ...descriptor, load: load as typeof descriptor.load });
}

@Injectable()
class PumpHealth extends PluginHealthIndicator {
  constructor(service: HealthIndicatorService, registry: PluginRegistry) {
    super('pump', service, registry);
  }
}

const { ConfigurableModuleClass } = definePluginModule({
  type: 'pump',
  token: PumpPlugin,
  drivers: [pumpDriver('local'), pumpDriver('other')],
  health: PumpHealth,
});

@Module({})
class PumpModule extends ConfigurableModuleClass {}

const apps: INestApplicationContext[] = [];
const boot = async (...imports: DynamicModule[]): Promise<INestApplicationContext> => {
  @Module({ imports })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
};
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (HubError.is(error) ? error.code : String(error)),
  );

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  journal.length = 0;
});

describe('a plugin module without the hub', () => {
  it('provides the driver that the options pick, initialized before the application’s own onModuleInit', async () => {
    @Injectable()
    class Service implements OnModuleInit {
      constructor(readonly pump: PumpPlugin) {}
      async onModuleInit() {
        journal.push(await this.pump.work());
      }
    }
    @Module({ imports: [PumpModule.forRootAsync({ useFactory: () => ({ type: 'other' }) })], providers: [Service] })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    apps.push(app);
    expect(journal).toEqual(['other open', 'other works']);
  });

  it('rejects an unknown driver with DRIVER_UNKNOWN naming the known ones', async () => {
    const error = await boot(PumpModule.forRoot({ type: 'steam' })).catch((reason: unknown) => reason);
    expect(HubError.is(error, 'DRIVER_UNKNOWN')).toBe(true);
    expect(String(error)).toContain('local, other');
    expect(await codeOf(boot(PumpModule.forRoot({ type: 'constructor' })))).toBe('DRIVER_UNKNOWN');
  });

  it.each([
    ['returns no module', 'DRIVER_INVALID', async () => 42],
    ['throws', 'DRIVER_INVALID', async () => Promise.reject(new Error('boom'))],
    ['throws what cannot be shown', 'DRIVER_INVALID', async () => Promise.reject(Object.create(null) as Error)],
    ['misses its peer', 'PEER_MISSING', async () => import('left-pump' as string) as Promise<unknown>],
    ['never settles', 'DRIVER_INVALID', () => new Promise(() => undefined)],
    [
      'exports something else under the token',
      'DRIVER_INVALID',
      async () => {
        @Module({})
        class Wrong {
          static register(): DynamicModule {
            const provider = { provide: PumpPlugin, useValue: { pluginType: 'pump' } };
            return { module: Wrong, providers: [provider], exports: [provider] };
          }
        }
        return Wrong;
      },
    ],
  ])('a driver whose load() %s gives %s', async (_what, code, load) => {
    const bad = pumpDriver('bad', load);
    expect(await codeOf(boot(PumpModule.forRoot({ type: 'bad', initTimeout: 300, drivers: [bad] })))).toBe(code);
  });

  it('a driver that injects what waits for its own token is an error, not a hang', async () => {
    @Injectable()
    class NeedsPump {
      constructor(readonly pump: PumpPlugin) {}
    }
    @Global()
    @Module({ providers: [NeedsPump], exports: [NeedsPump] })
    class AppServices {}
    @Module({})
    class Circular {
      static register(options: PumpOptions): DynamicModule {
        const useFactory = () => new RealPump('circular', options);
        const plugin = { provide: PumpPlugin, inject: [NeedsPump], useFactory };
        return { module: Circular, providers: [plugin], exports: [plugin] };
      }
    }
    const drivers = [pumpDriver('circular', async () => Circular)];
    const pump = PumpModule.forRoot({ type: 'circular', initTimeout: 300, drivers });
    expect(await codeOf(boot(pump, { module: AppServices }))).toBe('DRIVER_INVALID');
  });

  it('refuses two drivers or two plugins of the same (type, name)', async () => {
    expect(await codeOf(boot(PumpModule.forRoot({ drivers: [pumpDriver('local')] })))).toBe('ALREADY_EXISTS');
    expect(await codeOf(boot(PumpModule.forRoot({}), PumpModule.forRoot({})))).toBe('ALREADY_EXISTS');
  });

  it('reports every fault of its options', async () => {
    const error = await boot(PumpModule.forRoot({ config: { failures: 'many', wat: 1 } })).catch((e: unknown) => e);
    expect(HubError.is(error, 'CONFIG_INVALID')).toBe(true);
    expect((error as HubError).details['issues']).toHaveLength(2);
  });

  it('a disabled plugin rejects every call with PLUGIN_DISABLED', async () => {
    const app = await boot(PumpModule.forRoot({ enabled: false }));
    const pump = app.get(PumpPlugin);
    expect(await codeOf(pump.work())).toBe('PLUGIN_DISABLED');
    expect(app.get(PluginRegistry).list()).toMatchObject([{ type: 'pump', state: 'disabled' }]);
    expect(await codeOf((async () => app.get(PluginRegistry).get('pump'))())).toBe('PLUGIN_DISABLED');
    expect(await app.get(PumpHealth).isHealthy()).toMatchObject({ pump: { status: 'up', state: 'disabled' } });
  });
});

describe('life in an application', () => {
  it('a required plugin that fails ends the boot and closes what was opened', async () => {
    const failing = PumpModule.forRoot({
      type: 'other',
      config: { failures: 1, url: 'amqp://me:hunter2@host' },
      name: 'b',
    });
    const error = await boot(PumpModule.forRoot({}), failing).catch((reason: unknown) => reason);
    expect(HubError.is(error, 'UNAVAILABLE')).toBe(true);
    expect(String(error)).not.toContain('hunter2');
    expect(journal).toEqual(['local open', 'local closed']);
  });

  it('an optional plugin that fails boots degraded, answers UNAVAILABLE, and comes back', async () => {
    const app = await boot(PumpModule.forRoot({ required: false, config: { failures: 1, url: 'pump://secret-host' } }));
    const pump = app.get(PumpPlugin);
    const registry = app.get(PluginRegistry);
    expect(await codeOf(pump.work())).toBe('UNAVAILABLE');
    const health = await app.get(PumpHealth).isHealthy('pump', { cacheFor: 0 });
    expect(health).toMatchObject({ pump: { status: 'degraded' } });
    expect(JSON.stringify([health, registry.list()])).not.toContain('secret-host');
    const consumers: string[] = [];
    await registry.find('pump')?.whenUp(() => void consumers.push('started'));
    expect(consumers).toEqual([]);
    await expect.poll(() => registry.find('pump')?.state, { timeout: 5_000 }).toBe('up');
    expect(await pump.work()).toBe('local works');
    expect(consumers).toEqual(['started']);
    expect(registry.list()).toMatchObject([{ state: 'up', lastError: { code: 'UNAVAILABLE' } }]);
  });

  it('health follows a plugin that works less well, fails, and its recovery', async () => {
    const app = await boot(PumpModule.forRoot({}));
    const pump = app.get<RealPump>(PumpPlugin);
    const check = () => app.get(PumpHealth).isHealthy('pump', { cacheFor: 0 });
    pump.facts = { pressure: 3, degraded: true };
    expect(await check()).toMatchObject({ pump: { status: 'degraded', pressure: 3 } });
    pump.broken = true;
    expect(await check()).toMatchObject({ pump: { status: 'down' } });
    expect(app.get(PluginRegistry).list()).toMatchObject([{ state: 'down' }]);
    [pump.broken, pump.facts] = [false, {}];
    expect(await check()).toMatchObject({ pump: { status: 'up' } });
    expect(app.get(PluginRegistry).list()).toMatchObject([{ state: 'up', lastError: { code: 'UNAVAILABLE' } }]);
  });

  it('shutdown drains all plugins before it closes any, in reverse order', async () => {
    const app = await boot(
      PumpModule.forRoot({ config: { drainMs: 50 } }),
      PumpModule.forRoot({ type: 'other', name: 'second' }),
    );
    await app.close();
    expect(journal.slice(2)).toEqual([
      'local drain',
      'other drain',
      'other drained',
      'local drained',
      'other closed',
      'local closed',
    ]);
    expect(await codeOf(app.get(PumpPlugin).work())).toBe('CLOSED');
  });

  it('a drain that never ends is abandoned at the shutdown deadline', async () => {
    const app = await boot(PumpModule.forRoot({ config: { drainMs: 60_000 } }));
    app.get(PluginRegistry).shutdownTimeout = 100;
    const start = Date.now();
    await app.close();
    expect(Date.now() - start).toBeLessThan(5_000);
    expect(journal).toContain('local closed');
    expect(journal).not.toContain('local drained');
  });

  it('registers plugins at run time and refuses a taken name', async () => {
    const app = await boot(PumpModule.forRoot({}));
    const registry = app.get(PluginRegistry);
    await registry.register(new RealPump('mine', { url: '', failures: 0, drainMs: 0 }));
    expect(await (registry.get('pump', 'mine') as unknown as RealPump).work()).toBe('mine works');
    const twin = new RealPump('mine', { url: '', failures: 0, drainMs: 0 });
    expect(await codeOf(registry.register(twin))).toBe('ALREADY_EXISTS');
    const failing = new RealPump('late', { url: '', failures: 1, drainMs: 0 });
    expect(await codeOf(registry.register(failing))).toBe('UNAVAILABLE');
    expect(registry.list().map(({ name }) => name)).toEqual(['local', 'mine']);
    await app.close();
    expect(journal).toContain('mine closed');
  });
});
