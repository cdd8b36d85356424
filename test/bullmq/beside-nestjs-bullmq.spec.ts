import { BullModule, getQueueToken, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Injectable, Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import { Task } from '../../src/taskqueue/task.decorator.js';
import { TaskQueueModule } from '../../src/taskqueue/taskqueue.module.js';
import { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { TaskContext } from '../../src/taskqueue/taskqueue.types.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { neededService } from '../support/needed-service.js';
import { RedisServer } from '../support/redis-server.js';

const redis = neededService('redis');
const TIMEOUT = 15_000;

@Processor('mails')
class MailProcessor extends WorkerHost {
  override async process(job: Job): Promise<string> {
    return `mailed ${JSON.stringify(job.data)}`;
  }
}

@Injectable()
class ReportService {
  constructor(
    @InjectQueue('default') readonly queue: Queue,
    @Inject(TaskQueuePlugin) readonly tasks: TaskQueuePlugin,
  ) {}

  @Task('report')
  report({ kwargs }: TaskContext): string {
    return `reported ${JSON.stringify(kwargs)}`;
  }
}

describe.skipIf(redis.missing)(`the driver beside @nestjs/bullmq in one application${redis.note}`, () => {
  let room: BullMQRoom;
  let app: INestApplication | undefined;
  const clients: Redis[] = [];
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(async () => {
    await app?.close();
    app = undefined;
    for (const client of clients.splice(0)) client.disconnect();
    await room.close();
  });

  /** A client of the application's own. */
  function client(url = redis.address): Redis {
    const made = new Redis(url, { maxRetriesPerRequest: null, commandTimeout: 30_000 });
    clients.push(made);
    return made;
  }

  /** Starts an application with both. */
  async function start(root: DynamicModule | undefined, config: object, configKey?: string): Promise<INestApplication> {
    const shared = configKey === undefined ? {} : { configKey };
    const queues = BullModule.registerQueue({ name: 'mails', ...shared }, { name: 'default', ...shared });
    const hub = TaskQueueModule.forRoot({ type: 'bullmq', config });
    const mails = configKey === undefined ? [MailProcessor] : [];
    @Module({
      imports: root === undefined ? [hub] : [root, queues, hub],
      providers: root === undefined ? [] : [ReportService, ...mails],
    })
    class AppModule {}

    app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication();
    await app.init();
    return app;
  }

  /** What the application adds comes to the hub, and what the hub submits to the application's queue. */
  async function expectToWorkTogether({ processor = true } = {}): Promise<void> {
    const { tasks, queue } = (app as INestApplication).get(ReportService);
    await queue.add('report', { month: 3 }, { jobId: 'report-3' });
    expect(await tasks.getResult('report-3', { timeout: TIMEOUT })).toBe('reported {"month":3}');
    // As bull-board reads it.
    expect(await queue.getJobCounts('completed')).toEqual({ completed: 1 });
    const mail = await tasks.submitTask('send', { kwargs: { to: 'a' }, queue: 'mails' });
    const mails = (app as INestApplication).get<Queue>(getQueueToken('mails'));
    expect((await mails.getJob(mail))?.name).toBe('send');
    if (!processor) return;
    expect(await tasks.getResult(mail, { timeout: TIMEOUT })).toBe('mailed {"args":[],"kwargs":{"to":"a"}}');
  }

  it("the application's @Processor and @InjectQueue work with the hub's tasks and queues", async () => {
    const { url, prefix } = room;
    await start(BullModule.forRoot({ connection: { url }, prefix }), { url, prefix });
    await expectToWorkTogether();
  });

  describe('with sharedConfig', () => {
    it('takes connection and prefix from forRoot: a url', async () => {
      const { url, prefix } = room;
      await start(BullModule.forRoot({ connection: { url }, prefix }), { shared_config: true });
      await expectToWorkTogether();
    });

    it('host and port, from forRootAsync', async () => {
      const { hostname: host, port } = new URL(room.url);
      const { prefix } = room;
      const useFactory = async () => ({
        // What suits queues must not be the workers'.
        connection: { host, port: Number(port), enableOfflineQueue: false, maxRetriesPerRequest: 1 },
        prefix,
      });
      await start(BullModule.forRootAsync({ useFactory }), { shared_config: true });
      expect((await app?.get(TaskQueuePlugin).healthCheck())?.healthy).toBe(true);
      const { tasks } = (app as INestApplication).get(ReportService);
      expect(await tasks.getResult(await tasks.submitTask('report'), { timeout: TIMEOUT })).toBe('reported {}');
    });

    it("a configKey, and a client of the application's, which is duplicated and not closed", async () => {
      const connection = client();
      const { prefix } = room;
      await start(BullModule.forRoot('mine', { connection, prefix }), { shared_config: 'mine' }, 'mine');
      await expectToWorkTogether({ processor: false });
      const names = String(await connection.client('LIST')).split('\n');
      expect(names.filter((line) => line.includes(`name=${prefix}:hub `)).length).toBeGreaterThanOrEqual(2);
      await app?.get(TaskQueuePlugin).shutdown();
      expect(connection.status).toBe('ready');
      expect(await connection.ping()).toBe('PONG');
    });

    it('a prefix beside it counts', async () => {
      const { url, prefix } = room;
      await start(BullModule.forRoot({ connection: { url }, prefix: 'another' }), { shared_config: true, prefix });
      const tasks = (app as INestApplication).get(TaskQueuePlugin);
      const id = await tasks.submitTask('seen');
      expect((await room.queue('default').getJob(id))?.name).toBe('seen');
    });

    it('says what is missing: forRoot, its configKey, its connection', async () => {
      const { url, prefix } = room;
      const none = await rejectsWith(() => start(undefined, { shared_config: true }), 'CONFIG_INVALID');
      expect(none.message).toMatch(/imports no BullModule\.forRoot\(…\) of @nestjs\/bullmq/);
      const root = BullModule.forRoot({ connection: { url }, prefix });
      const key = await rejectsWith(() => start(root, { shared_config: 'mine' }), 'CONFIG_INVALID');
      expect(key.message).toContain("BullModule.forRoot('mine', …)");
      const empty = BullModule.forRoot({ prefix } as never);
      const connection = await rejectsWith(() => start(empty, { shared_config: true }), 'CONFIG_INVALID');
      expect(connection.message).toContain('has no connection');
    });

    it('a connection beside it is refused', async () => {
      const root = BullModule.forRoot({ connection: { url: room.url } });
      for (const beside of [{ url: room.url }, { host: 'a' }, { port: 1 }, { password: CANARY }, { tls: {} }]) {
        const config = { shared_config: true, ...beside };
        const { message } = await rejectsWith(() => start(root, config), 'CONFIG_INVALID');
        expect(message).toContain(`${Object.keys(beside).join()} is given beside sharedConfig`);
        expect(tellsCanary(message)).toBe(false);
      }
    });

    it("the application's password is in no error, health answer or log line", async () => {
      const server = await RedisServer.create({ password: 'right' });
      try {
        const connection = { host: '127.0.0.1', port: server.port, password: CANARY, lazyConnect: true };
        const root = BullModule.forRoot('mine', { connection });
        const hub = TaskQueueModule.forRoot({ type: 'bullmq', config: { sharedConfig: 'mine' } });
        const building = Test.createTestingModule({ imports: [root, hub] }).compile();
        app = (await building).createNestApplication();
        const error = await rejectsWith(async () => app?.init(), 'UNAUTHORIZED');
        expect(tellsCanary(error, await app.get(TaskQueuePlugin).healthCheck())).toBe(false);
      } finally {
        await server.remove();
      }
    });
  });
});
