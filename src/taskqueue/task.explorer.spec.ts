import { Injectable, Logger, Scope } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineDriver } from '../core/driver.js';
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
    providers: (new (...args: never[]) => object)[],
    options: object = {},
  ): Promise<TaskQueuePlugin> => {
    const queue = TaskQueueModule.forRoot({
      type: 'local',
      config: { dataDir: ':memory:' },
      drivers: [remoteOnly],
      ...options,
    });
    app = await Test.createTestingModule({ imports: [queue], providers }).compile();
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
  });

  it('refuses a request-scoped provider, naming the method', async () => {
    await expect(boot([PerRequestTasks])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/PerRequestTasks\.run.*request-scoped/) as string,
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
      expect.stringMatching(/billing\.total, billing\.flaky/),
    ]);
  });
});
