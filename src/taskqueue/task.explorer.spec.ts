import { Controller, Injectable, Logger, Scope, type Type } from '@nestjs/common';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineDriver } from '../core/driver.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import local from './drivers/local/index.js';
import { LocalTaskQueuePlugin } from './drivers/local/local.plugin.js';
import type { LocalTaskQueueOptions } from './drivers/local/local.options.js';
import { Task } from './task.decorator.js';
import { TaskQueueModule } from './taskqueue.module.js';
import { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { TaskContext } from './taskqueue.types.js';

@Injectable()
class Rates {
  readonly vat = 1.2;
}

@Injectable()
class BillingTasks {
  constructor(private readonly rates: Rates) {}

  @Task('billing.total')
  total({ args }: TaskContext): number {
    return Number(args[0]) * this.rates.vat;
  }

  @Task('billing.flaky', { retry: { attempts: 2, delay: 10 } })
  flaky({ attempt }: TaskContext): number {
    if (attempt === 1) throw new Error('the first attempt fails');
    return attempt;
  }
}

@Injectable()
class MoreBillingTasks {
  @Task('billing.total')
  other(): null {
    return null;
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequestTasks {
  @Task('request.task')
  run(): null {
    return null;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientTasks {
  @Task('transient.task')
  run(): null {
    return null;
  }
}

@Controller('reports')
class ReportsController {
  @Task('reports.build')
  build({ args }: TaskContext): string {
    return `report ${String(args[0])}`;
  }
}

/** A driver that leaves the work to workers elsewhere. */
class RemoteOnlyPlugin extends LocalTaskQueuePlugin {
  override readonly supports = { ...new LocalTaskQueuePlugin().supports, inProcess: false };
}
class RemoteOnlyModule {
  static register(options: LocalTaskQueueOptions) {
    const plugin = { provide: TaskQueuePlugin, useFactory: () => new RemoteOnlyPlugin(options) };
    return { module: RemoteOnlyModule, providers: [plugin], exports: [TaskQueuePlugin] };
  }
}
const remoteOnly = defineDriver<LocalTaskQueueOptions>({
  ...local,
  name: 'remote-only',
  load: async () => RemoteOnlyModule,
});

describe('TaskExplorer', () => {
  let app: TestingModule | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
    vi.restoreAllMocks();
  });

  const boot = async (
    providers: Type[],
    options: object = {},
    controllers: Type[] = [],
    change: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
  ): Promise<TaskQueuePlugin> => {
    const queue = TaskQueueModule.forRoot({
      type: 'local',
      config: { dataDir: ':memory:' },
      drivers: [remoteOnly],
      ...options,
    });
    app = await change(Test.createTestingModule({ imports: [queue], providers, controllers })).compile();
    app.useLogger(false);
    await app.init();
    return app.get(TaskQueuePlugin);
  };

  it('runs @Task methods with their dependencies and options', async () => {
    const tasks = await boot([Rates, BillingTasks]);
    expect(await tasks.getResult(await tasks.submitTask('billing.total', { args: [10] }))).toBe(12);
    expect(await tasks.getResult(await tasks.submitTask('billing.flaky'))).toBe(2);
    expect((await tasks.workers())[0]?.tasks).toEqual(['billing.total', 'billing.flaky']);
  });

  it('runs @Task methods of controllers', async () => {
    const tasks = await boot([], {}, [ReportsController]);
    expect(await tasks.getResult(await tasks.submitTask('reports.build', { args: [7] }))).toBe('report 7');
  });

  it('registers once a provider that stands behind two tokens', async () => {
    const queue = TaskQueueModule.forRoot({ type: 'local', config: { dataDir: ':memory:' } });
    const providers = [Rates, BillingTasks, { provide: 'alias', useExisting: BillingTasks }];
    app = await Test.createTestingModule({ imports: [queue], providers }).compile();
    await app.init();
    const tasks = app.get(TaskQueuePlugin);
    expect(await tasks.getResult(await tasks.submitTask('billing.total', { args: [5] }))).toBe(6);
  });

  it('refuses the same name twice, naming both methods', async () => {
    await expect(boot([Rates, BillingTasks, MoreBillingTasks])).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringMatching(/MoreBillingTasks\.other and BillingTasks\.total/) as string,
    });
    // Nest calls no hook after a failed boot: the store has to be closed already.
    expect(app?.get(TaskQueuePlugin).phase).toBe('closed');
  });

  it.each([
    ['request-scoped', PerRequestTasks],
    ['transient', TransientTasks],
  ])('refuses a %s provider, naming the method', async (_scope, provider) => {
    await expect(boot([provider])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(new RegExp(`${provider.name}\\.run.*request-scoped or transient`)) as string,
    });
  });

  it('refuses a driver that runs nothing in this process, naming the method', async () => {
    await expect(boot([Rates, BillingTasks], { type: 'remote-only' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/BillingTasks\.total/) as string,
    });
  });

  it('warns once when the task queue is disabled', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await boot([Rates, BillingTasks], { enabled: false });
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringMatching(/^plugins\.taskqueue is disabled, .*: BillingTasks\.total, BillingTasks\.flaky\.$/),
    ]);
  });

  it('warns once when the task queue was replaced by an object that the hub does not know', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const fake = { registerTask: () => Promise.reject(new Error('never called')) };
    await boot([Rates, BillingTasks], {}, [], (builder) => builder.overrideProvider(TaskQueuePlugin).useValue(fake));
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringMatching(/^plugins\.taskqueue was replaced by an object that the hub does not know, .*BillingTasks/),
    ]);
  });

  it('works with the plugin that has no name when a named one was imported before', async () => {
    const second = TaskQueueModule.forRoot({ type: 'local', config: { dataDir: ':memory:' }, name: 'second' });
    const first = TaskQueueModule.forRoot({ type: 'local', config: { dataDir: ':memory:' } });
    app = await Test.createTestingModule({ imports: [second, first], providers: [Rates, BillingTasks] }).compile();
    await app.init();
    const tasks = app.get(TaskQueuePlugin);
    expect((await tasks.workers())[0]?.tasks).toEqual(['billing.total', 'billing.flaky']);
    expect(app.get(PluginRegistry).get('taskqueue')).toBe(tasks);
  });

  it('registers the other tasks, and once, when one fails at the first try', async () => {
    class FlakyPlugin extends LocalTaskQueuePlugin {
      readonly calls: string[] = [];
      starts = 0;
      protected override async onInitialize(): Promise<void> {
        this.starts += 1;
        if (this.starts === 1) throw this.error('UNAVAILABLE', 'initialize', 'not yet');
        await super.onInitialize();
      }
      override async registerTask(...args: Parameters<LocalTaskQueuePlugin['registerTask']>): Promise<void> {
        this.calls.push(args[0]);
        if (this.calls.length === 1) throw new Error('the backend is busy');
        await super.registerTask(...args);
      }
    }
    class FlakyModule {
      static register(options: LocalTaskQueueOptions) {
        const plugin = { provide: TaskQueuePlugin, useFactory: () => new FlakyPlugin(options) };
        return { module: FlakyModule, providers: [plugin], exports: [TaskQueuePlugin] };
      }
    }
    const flaky = defineDriver<LocalTaskQueueOptions>({ ...local, name: 'flaky', load: async () => FlakyModule });
    const tasks = await boot([Rates, BillingTasks], { type: 'flaky', drivers: [flaky], required: false });
    await vi.waitFor(async () => expect((await tasks.workers())[0]?.tasks).toHaveLength(2), 8_000);
    expect((tasks as FlakyPlugin).calls).toEqual(['billing.total', 'billing.flaky', 'billing.total']);
  }, 15_000);
});
