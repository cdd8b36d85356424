import {
  Global,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type Type,
} from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  DataStreamPlugin,
  ExperimentHub,
  ExperimentHubModule,
  hubConfig,
  HubError,
  HubPlugin,
  MLOpsModule,
  MLOpsPlugin,
  TaskQueuePlugin,
  type HubConfig,
  type HubOptions,
  type JsonObject,
} from '../../src/index.js';
import { HubTestingModule } from '../../src/testing/index.js';

/** A plugin type that an application brings along. */
class FeatureStore extends HubPlugin<{ ttl: boolean }> {
  override readonly pluginType = 'featurestore';
  override readonly driver = 'map';
  override readonly supports = { ttl: false };
  readonly features = new Map<string, number>();
  failures = 0;

  protected async onInitialize(): Promise<void> {
    if (this.failures-- > 0) throw new Error('no store');
  }
  protected async onShutdown(): Promise<void> {
    this.features.clear();
  }
  protected async onHealthCheck(): Promise<JsonObject> {
    return { features: this.features.size };
  }
}

declare module '../../src/core/plugin-types.js' {
  interface PluginTypes {
    featurestore: FeatureStore;
  }
}

const apps: INestApplicationContext[] = [];
const boot = async (imports: (DynamicModule | Type)[], providers: Type[] = []): Promise<INestApplicationContext> => {
  @Module({ imports, providers })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
};
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (HubError.is(error) ? error.code : String(error)),
  );
const memory = { type: 'local', config: { dataDir: ':memory:' } };
const inMemory: HubOptions = { plugins: { mlops: memory, datastream: memory, taskqueue: memory } };

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

describe('the hub', () => {
  it('injects the three plugins by class, initialized', async () => {
    @Injectable()
    class ChurnService {
      constructor(
        readonly mlops: MLOpsPlugin,
        readonly stream: DataStreamPlugin,
        readonly tasks: TaskQueuePlugin,
      ) {}
    }
    const app = await boot([HubTestingModule.forRoot()], [ChurnService]);
    const { mlops, stream, tasks } = app.get(ChurnService);
    expect([mlops, stream, tasks].map(({ pluginType, driver, phase }) => [pluginType, driver, phase])).toEqual([
      ['mlops', 'local', 'open'],
      ['datastream', 'local', 'open'],
      ['taskqueue', 'local', 'open'],
    ]);
    expect(app.get(ExperimentHub).getPlugin('mlops')).toBe(mlops);
  });

  it('takes its configuration from useFactory, useClass, useExisting and @nestjs/config', async () => {
    const useFactory = (config: ConfigService) => config.getOrThrow<HubOptions>('ml');
    const fromService = ExperimentHubModule.forRootAsync({
      imports: [ConfigModule.forRoot({ load: [() => ({ ml: inMemory })], ignoreEnvFile: true })],
      inject: [ConfigService],
      useFactory,
      health: false,
    });
    @Injectable()
    class Options {
      createHubConfig(): HubOptions {
        return inMemory;
      }
    }
    @Global()
    @Module({ providers: [Options], exports: [Options] })
    class OptionsModule {}
    const byClass = ExperimentHubModule.forRootAsync({ useClass: Options, health: false });
    const existing = ExperimentHubModule.forRootAsync({
      useExisting: Options,
      imports: [OptionsModule],
      health: false,
    });
    process.env['HUB_DATA_DIR'] = ':memory:';
    const namespaced = ExperimentHubModule.forRootAsync({
      imports: [ConfigModule.forRoot({ load: [hubConfig], ignoreEnvFile: true })],
      inject: [hubConfig.KEY],
      useFactory: (config: HubConfig) => config,
      health: false,
    });
    for (const hub of [fromService, byClass, existing, namespaced]) {
      const app = await boot([hub]);
      expect(app.get(MLOpsPlugin).supports.durable).toBe(false);
      expect(app.get(ExperimentHub).ready).toBe(true);
    }
    delete process.env['HUB_DATA_DIR'];
  });

  it('rejects a bad configuration of forRootAsync with CONFIG_INVALID', async () => {
    const useFactory = () => ({ plugins: { mlops: { type: 'mlfow' } } });
    expect(await codeOf(boot([ExperimentHubModule.forRootAsync({ useFactory })]))).toBe('CONFIG_INVALID');
  });

  it('refuses a second hub in one application', async () => {
    expect(await codeOf(boot([HubTestingModule.forRoot(), HubTestingModule.forRoot()]))).toBe('ALREADY_EXISTS');
    expect(await codeOf(boot([HubTestingModule.forRoot(), MLOpsModule.forRoot(memory)]))).toBe('ALREADY_EXISTS');
  });

  it('registers plugins and plugin types at run time', async () => {
    const app = await boot([HubTestingModule.forRoot()]);
    const hub = app.get(ExperimentHub);
    const store = new FeatureStore();
    await hub.registerPlugin(store);
    hub.getPlugin('featurestore').features.set('a', 1);
    expect(await hub.checkPluginHealth('featurestore')).toEqual({
      'featurestore/map': { healthy: true, details: { driver: 'map', phase: 'open', features: 1 } },
    });
    expect(hub.plugins().map(({ type, state }) => `${type} ${state}`)).toContain('featurestore up');
    expect(await codeOf(hub.registerPlugin(new FeatureStore()))).toBe('ALREADY_EXISTS');
    await hub.registerPlugin(new FeatureStore(), { name: 'second' });
    expect(hub.getPlugin('featurestore')).toBe(store);
    expect(hub.getPlugin('featurestore', 'second')).not.toBe(store);
    expect(await codeOf(hub.registerPlugin({} as HubPlugin))).toBe('INVALID_ARGUMENT');
    expect(Object.keys(await hub.checkPluginHealth())).toHaveLength(5);
    await app.close();
    expect(store.phase).toBe('closed');
    expect(await codeOf(hub.registerPlugin(new FeatureStore(), { name: 'late' }))).toBe('CLOSED');
  });

  it('keeps an optional late plugin that fails, and refuses a required one', async () => {
    const app = await boot([HubTestingModule.forRoot()]);
    const hub = app.get(ExperimentHub);
    const required = Object.assign(new FeatureStore(), { failures: 1 });
    await expect(hub.registerPlugin(required, { required: true })).rejects.toThrow('no store');
    const optional = Object.assign(new FeatureStore(), { failures: 1 });
    await hub.registerPlugin(optional);
    expect(hub.plugins()).toContainEqual(
      expect.objectContaining({ type: 'featurestore', state: 'down', required: false }),
    );
    await expect.poll(() => optional.phase, { timeout: 5_000 }).toBe('open');
  });

  it('names what is missing or switched off', async () => {
    const app = await boot([HubTestingModule.forRoot({ config: { plugins: { taskqueue: { enabled: false } } } })]);
    const hub = app.get(ExperimentHub);
    expect(() => hub.getPlugin('nosuch')).toThrow(/no plugin is registered as nosuch. Registered: mlops\/local/);
    expect(() => hub.getPlugin('taskqueue')).toThrow(/plugins.taskqueue.enabled/);
    expect(await codeOf(app.get(TaskQueuePlugin).submitTask('x'))).toBe('PLUGIN_DISABLED');
    const progress = app.get(TaskQueuePlugin).progress('x')[Symbol.asyncIterator]();
    expect(await codeOf(progress.next())).toBe('PLUGIN_DISABLED');
  });

  it('a test replaces a plugin with overrideProvider, and no driver is loaded for it', async () => {
    const fake = { logMetric: async () => undefined };
    const module = await Test.createTestingModule({ imports: [HubTestingModule.forRoot()] })
      .overrideProvider(MLOpsPlugin)
      .useValue(fake)
      .compile();
    const app = await module.init();
    apps.push(app);
    expect(app.get(MLOpsPlugin)).toBe(fake);
    expect(
      app
        .get(ExperimentHub)
        .plugins()
        .map(({ type }) => type),
    ).not.toContain('mlops');
  });
});
