import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Injectable, Logger, Module, Scope, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PluginOptions } from '../core/plugin-options.js';
import { DataStreamModule } from './datastream.module.js';
import { DataStreamPlugin } from './datastream.plugin.js';
import type { DataContext, Message } from './datastream.types.js';
import { LocalDataStreamPlugin } from './drivers/local/local.plugin.js';
import { OnData } from './on-data.decorator.js';

@Injectable()
class Billing {
  readonly orders: unknown[] = [];
  readonly batches: number[] = [];
  readonly signals: AbortSignal[] = [];

  @OnData('orders', { createQueue: true })
  async onOrder({ payload }: Message, { signal }: DataContext): Promise<void> {
    await Promise.resolve();
    this.orders.push(payload);
    this.signals.push(signal);
  }

  @OnData('events', { batch: true, size: 3, maxWait: 10_000, createQueue: { maxLength: 100 } })
  onEvents(messages: Message[]): void {
    this.batches.push(messages.length);
  }

  @OnData('failing', { createQueue: true })
  onFailing(): void {
    throw new Error('cannot bill');
  }
}

@Controller('audit')
class AuditController {
  readonly seen: unknown[] = [];

  @OnData('audit')
  onAudit({ payload }: Message): void {
    this.seen.push(payload);
  }
}

@Injectable()
class AuditQueue {
  constructor(private readonly stream: DataStreamPlugin) {}

  async onModuleInit(): Promise<void> {
    await this.stream.createQueue('audit');
  }
}

@Injectable()
class Settings {
  readonly queue = 'from-settings';
  readonly concurrency = 3;
}

@Injectable()
class Configured {
  running = 0;
  most = 0;

  @OnData((get) => get(Settings).queue, (get) => ({ createQueue: true, concurrency: get(Settings).concurrency }))
  async onMessage(): Promise<void> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.running -= 1;
  }
}

@Injectable()
class Misconfigured {
  @OnData((get) => get(Settings).queue)
  onMessage(): void {}
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  @OnData('orders', { createQueue: true })
  onOrder(): void {
    throw new Error('never called');
  }
}

describe('@OnData', () => {
  let folder: string;
  const apps: INestApplicationContext[] = [];
  const boot = async (
    providers: Type[],
    options: PluginOptions = { config: { dataDir: ':memory:' } },
    controllers: Type[] = [],
  ): Promise<INestApplicationContext> => {
    @Module({ imports: [DataStreamModule.forRoot(options)], providers, controllers })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    return app;
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-on-data-'));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await rm(folder, { recursive: true });
  });

  it('makes methods of providers and controllers consumers, single and batch', async () => {
    const app = await boot([Billing, AuditQueue], undefined, [AuditController]);
    const stream = app.get(DataStreamPlugin);
    await stream.sendBatch('orders', [{ payload: 1 }, { payload: 2 }]);
    await stream.sendBatch('events', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
    await stream.sendData('audit', 'login');
    const billing = app.get(Billing);
    await vi.waitFor(() => {
      expect(billing.orders).toEqual([1, 2]);
      expect(billing.batches).toEqual([3]);
      expect(app.get(AuditController).seen).toEqual(['login']);
    }, 5_000);
    expect(billing.signals[0]?.aborted).toBe(false);
    expect((await stream.queueInfo('orders')).consumers).toBe(1);
    await stream.createQueue('events', { maxLength: 100 });
  });

  it('takes queue and options from the application', async () => {
    const app = await boot([Settings, Configured]);
    const stream = app.get(DataStreamPlugin);
    await stream.sendBatch(
      'from-settings',
      [1, 2, 3, 4].map((payload) => ({ payload })),
    );
    await vi.waitFor(async () => expect((await stream.queueInfo('from-settings')).ready).toBe(0), 5_000);
    expect(app.get(Configured).most).toBe(3);
    await expect(boot([Misconfigured])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/@OnData on Misconfigured\.onMessage: .*Settings/),
    });
  });

  it('logs a handler that throws with its name, and the message is treated as subscribe says', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn');
    const app = await boot([Billing]);
    const stream = app.get(DataStreamPlugin);
    await stream.sendData('failing', 1, { messageId: 'bill-7' });
    await vi.waitFor(async () => expect((await stream.queueInfo('failing')).deadLetters).toBe(1), 5_000);
    expect((await stream.peekDeadLetters('failing'))[0]?.detail).toBe('cannot bill');
    expect(warn).toHaveBeenCalledWith('Billing.onFailing: message bill-7 failed, attempt 1. cannot bill');
  });

  it('a queue that does not exist fails the boot with class, method and queue, and leaves nothing open', async () => {
    const options = { config: { dataDir: folder } };
    await expect(boot([], options, [AuditController])).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/AuditController\.onAudit.*"audit"/),
      details: { method: 'AuditController.onAudit', queue: 'audit' },
    });
    await boot([AuditQueue], options, [AuditController]);
  });

  it('a request-scoped provider fails the boot with INVALID_ARGUMENT', async () => {
    await expect(boot([PerRequest])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('PerRequest.onOrder'),
    });
  });

  it('a disabled plugin: one warning that names the methods', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn');
    await boot([Billing], { enabled: false }, [AuditController]);
    expect(warn).toHaveBeenCalledTimes(1);
    for (const name of ['Billing.onOrder', 'Billing.onEvents', 'AuditController.onAudit']) {
      expect(warn.mock.calls[0]?.[0]).toContain(name);
    }
    expect(warn.mock.calls[0]?.[0]).toMatch(/^plugins\.datastream is disabled/);
  });

  it('a plugin replaced by an object that the hub does not know: one warning that says so', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const module = Test.createTestingModule({
      imports: [DataStreamModule.forRoot({ config: { dataDir: ':memory:' } })],
      providers: [Billing],
    });
    const app = await module.overrideProvider(DataStreamPlugin).useValue({}).compile();
    apps.push(app);
    await app.init();
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringMatching(/^plugins\.datastream was replaced by an object that the hub does not know, .*Billing\./),
    ]);
  });

  it('an optional plugin that does not start gets its consumers when it comes back', async () => {
    const config = { dataDir: folder };
    const owner = new LocalDataStreamPlugin({ ...config, durability: 'process', maxPayloadBytes: 1_000, queues: [] });
    await owner.initialize();
    const app = await boot([Billing], { required: false, config });
    const stream = app.get(DataStreamPlugin);
    await expect(stream.queueInfo('orders')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await owner.shutdown();
    await vi.waitFor(async () => expect((await stream.queueInfo('orders')).consumers).toBe(1), 10_000);
    await stream.sendData('orders', 'late');
    await vi.waitFor(() => expect(app.get(Billing).orders).toEqual(['late']), 5_000);
  });

  it('closing the application lets the running handler finish', async () => {
    let finished = false;
    let started = false;
    @Injectable()
    class Slow {
      @OnData('slow', { createQueue: true })
      async onSlow(): Promise<void> {
        started = true;
        await new Promise((resolve) => setTimeout(resolve, 200));
        finished = true;
      }
    }
    const app = await boot([Slow], { config: { dataDir: folder } });
    await app.get(DataStreamPlugin).sendData('slow', 1);
    await vi.waitFor(() => expect(started).toBe(true), 5_000);
    await app.close();
    expect(finished).toBe(true);
    const after = new LocalDataStreamPlugin({
      ...{ dataDir: folder, durability: 'process', maxPayloadBytes: 1_000, queues: [] },
    });
    await after.initialize();
    expect(await after.queueInfo('slow')).toMatchObject({ ready: 0, unacked: 0, deadLetters: 0 });
    await after.shutdown();
  });
});
