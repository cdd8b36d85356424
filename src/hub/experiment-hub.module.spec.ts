import {
  Inject,
  Injectable,
  Logger,
  Module,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import Joi from 'joi';
import { afterEach, describe, expect, it } from 'vitest';
import { defineDriver, definePluginModule, HubError, HubPlugin, PluginHealthIndicator } from '../core/index.js';
import type { HubConfig, HubOptions } from '../config/index.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import { Experiments } from '../experiment/index.js';
import { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { ExperimentHub } from './experiment-hub.js';
import { ExperimentHubModule } from './experiment-hub.module.js';
import { HUB_CONFIG } from './hub-config.module.js';
import { HubModule } from './hub.module.js';

const local = { type: 'local', config: { dataDir: ':memory:' } };
const off = { enabled: false };
const config: HubOptions = { plugins: { mlops: local, datastream: local, taskqueue: local } };
const allOff: HubOptions = { plugins: { mlops: off, datastream: off, taskqueue: off } };

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function boot(imports: (DynamicModule | Type)[], providers: Type[] = []): Promise<INestApplication> {
  @Module({ imports, providers })
  class App {}
  const app = await NestFactory.create(App, { logger: false, abortOnError: false });
  apps.push(app);
  return app.init();
}

/** What a feature of an application injects. */
@Injectable()
class Feature {
  constructor(
    readonly mlops: MLOpsPlugin,
    readonly stream: DataStreamPlugin,
    readonly tasks: TaskQueuePlugin,
    @Inject(HUB_CONFIG) readonly config: HubConfig,
    readonly experiments: Experiments,
  ) {}
}

@Module({ providers: [Feature] })
class FeatureModule {}

/** A plugin type of the application's own, with one driver, configured beside the hub's. */
abstract class FeatureStore extends HubPlugin {
  override readonly pluginType = 'featurestore';
  abstract readonly prefix: string;
}

class MapFeatureStore extends FeatureStore {
  override readonly driver = 'map';
  override readonly supports = {};
  constructor(readonly prefix: string) {
    super();
  }
  protected async onInitialize(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
  protected async onHealthCheck() {
    return {};
  }
}

@Module({})
class MapFeatureStoreModule {
  static register({ prefix }: { prefix: string }): DynamicModule {
    const provider = { provide: FeatureStore, useFactory: () => new MapFeatureStore(prefix) };
    return { module: MapFeatureStoreModule, providers: [provider], exports: [FeatureStore] };
  }
}

const map = defineDriver<{ prefix: string }>({
  type: 'featurestore',
  name: 'map',
  label: 'Map',
  peers: [],
  schema: Joi.object({ prefix: Joi.string().default('f:') }),
  load: async () => MapFeatureStoreModule,
});

@Injectable()
class FeatureStoreHealth extends PluginHealthIndicator {
  constructor(@Inject(HealthIndicatorService) service: HealthIndicatorService, registry: PluginRegistry) {
    super('featurestore', service, registry);
  }
}

const { ConfigurableModuleClass } = definePluginModule<FeatureStore>({
  type: 'featurestore',
  token: FeatureStore,
  drivers: [map],
  health: FeatureStoreHealth,
});

@Module({})
class FeatureStoreModule extends ConfigurableModuleClass {}

const featurestore = { type: 'map', config: { prefix: 'x:' } };

describe('ExperimentHubModule', () => {
  it('lets any module inject the plugins, the configuration and the experiments', async () => {
    const app = await boot([FeatureModule, ExperimentHubModule.forRoot({ config, health: false })]);
    const { mlops, config: injected } = app.get(Feature, { strict: false });
    expect(mlops.phase).toBe('open');
    expect(injected.plugins['mlops']?.config).toMatchObject({ dataDir: ':memory:' });
  });

  it.each([
    ['forRoot', () => ExperimentHubModule.forRoot({ config, isGlobal: false, health: false })],
    ['forRootAsync', () => ExperimentHubModule.forRootAsync({ useFactory: () => config, isGlobal: false })],
  ])(
    'boots with isGlobal: false (%s), one plugin of each type, and gives all to the importing module',
    async (_, hub) => {
      const app = await boot([hub()], [Feature]);
      const { mlops, stream, tasks } = app.get(Feature);
      expect([mlops, stream, tasks].map(({ phase }) => phase)).toEqual(['open', 'open', 'open']);
      expect(app.get(ExperimentHub, { strict: false }).plugins()).toHaveLength(3);
    },
  );

  it('keeps plugins and configuration from modules that do not import it when isGlobal is false', async () => {
    const hub = ExperimentHubModule.forRoot({ config, isGlobal: false, health: false });
    await expect(boot([FeatureModule, hub])).rejects.toThrow(/can't resolve dependencies of the Feature/);
    @Module({ providers: [{ provide: 'copy', inject: [HUB_CONFIG], useFactory: (value: unknown) => value }] })
    class ReadsConfig {}
    await expect(boot([ReadsConfig, hub])).rejects.toThrow(/HUB_CONFIG/);
  });

  it('configures a plugin type of the application by the same file, through HUB_CONFIG', async () => {
    const hub = ExperimentHubModule.forRoot({
      drivers: [map],
      config: { plugins: { ...allOff.plugins, featurestore } },
      health: false,
    });
    const own = FeatureStoreModule.forRootAsync({
      inject: [HUB_CONFIG],
      useFactory: ({ plugins }: HubConfig) => plugins['featurestore'] ?? {},
    });
    const app = await boot([hub, own]);
    expect(app.get(FeatureStore, { strict: false })).toMatchObject({ prefix: 'x:', phase: 'open' });
  });

  it.each([
    ['warns of a configured type that no module serves', { ...allOff.plugins, featurestore }, 1],
    ['is content with a driver of another type that is not configured', { ...allOff.plugins }, 0],
  ])('%s', async (_, plugins, count) => {
    const lines: string[] = [];
    Logger.overrideLogger({
      log: () => undefined,
      error: () => undefined,
      warn: (line: string) => void lines.push(line),
    });
    try {
      @Module({ imports: [ExperimentHubModule.forRoot({ drivers: [map], config: { plugins } })] })
      class App {}
      apps.push(await (await NestFactory.create(App, { abortOnError: false })).init());
    } finally {
      Logger.overrideLogger(false);
    }
    const warnings = lines.filter((line) => line.includes('plugins.featurestore is configured'));
    expect(warnings).toHaveLength(count);
    if (count > 0) expect(warnings[0]).toContain('mlops, datastream and taskqueue');
  });
});

describe('health', () => {
  const serve = async (hub: DynamicModule) => {
    const app = await boot([hub]);
    await app.listen(0, '127.0.0.1');
    const base = await app.getUrl();
    return { app, get: (path: string) => fetch(base + path) };
  };

  it.each([false, true])('shows a type that is switched off as disabled (details: %s)', async (details) => {
    const plugins = { ...config.plugins, taskqueue: off };
    const { get } = await serve(ExperimentHubModule.forRoot({ config: { plugins }, health: { details } }));
    const answer = await get('/health');
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { status: string; details: Record<string, object> };
    expect(body.details['taskqueue']).toEqual({ status: 'up', state: 'disabled' });
    expect(Object.keys(body.details).sort()).toEqual(['datastream', 'hub', 'mlops', 'taskqueue']);
    const ready = (await (await get('/health/ready')).json()) as { details: Record<string, object> };
    expect(Object.keys(ready.details).sort()).toEqual(['datastream', 'hub', 'mlops']);
  });

  it('a plugin that takes calls although it is not healthy is down, and the application ready', async () => {
    class IdleStore extends MapFeatureStore {
      constructor(private readonly takesCalls: boolean) {
        super('');
      }
      protected override async onHealthCheck(): Promise<never> {
        throw new HubError('UNAVAILABLE', 'nobody works.', { details: { ready: this.takesCalls } });
      }
    }
    for (const takesCalls of [true, false]) {
      const { app, get } = await serve(ExperimentHubModule.forRoot({ config: allOff }));
      await app.get(ExperimentHub).registerPlugin(new IdleStore(takesCalls), { required: true });
      expect((await get('/health')).status).toBe(503);
      const ready = await get('/health/ready');
      expect(ready.status).toBe(takesCalls ? 200 : 503);
      if (takesCalls) expect(await ready.json()).toMatchObject({ details: { featurestore: { status: 'degraded' } } });
    }
  });

  it('keeps HTTP open for drainDelay after SIGTERM, with readiness at 503', async () => {
    const { app, get } = await serve(ExperimentHubModule.forRoot({ config: allOff, health: { drainDelay: 700 } }));
    expect((await get('/health/ready')).status).toBe(200);
    const began = Date.now();
    // What enableShutdownHooks calls; the signal is not in the interface's type.
    const close: (signal: string) => Promise<void> = app.close.bind(app);
    const closing = close('SIGTERM');
    await expect.poll(async () => (await get('/health/ready')).status, { timeout: 500, interval: 20 }).toBe(503);
    expect((await get('/health/live')).status).toBe(200);
    await closing;
    expect(Date.now() - began).toBeGreaterThanOrEqual(690);
  });

  it('HubModule.forRoot alone has the endpoints at a path of choice', async () => {
    const { app, get } = await serve(HubModule.forRoot({ health: { path: 'status' } }));
    expect(await (await get('/status')).json()).toMatchObject({ status: 'ok', details: { hub: { status: 'up' } } });
    expect(() => app.get(ExperimentHub, { strict: false }).experiments).toThrow(HubError);
  });

  it('refuses a configuration in the wrong place, which would be ignored', () => {
    const misplaced = { plugins: { mlops: { enabled: false } } } as object;
    expect(() => ExperimentHubModule.forRoot(misplaced)).toThrow(/no option "plugins".*belong into config/);
  });
});
