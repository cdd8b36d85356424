import { BullModule, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Job, Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Task } from '../../src/taskqueue/task.decorator.js';
import { TaskQueueModule } from '../../src/taskqueue/taskqueue.module.js';
import { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { TaskContext } from '../../src/taskqueue/taskqueue.types.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { neededService } from '../support/needed-service.js';

const redis = neededService('redis');

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
  beforeEach(() => void (room = new BullMQRoom(redis.address)));
  afterEach(() => room.close());

  it("the application's @Processor and @InjectQueue work with the hub's tasks and queues", async () => {
    const { url, prefix } = room;
    @Module({
      imports: [
        BullModule.forRoot({ connection: { url }, prefix }),
        BullModule.registerQueue({ name: 'mails' }, { name: 'default' }),
        TaskQueueModule.forRoot({ type: 'bullmq', config: { url, prefix } }),
      ],
      providers: [MailProcessor, ReportService],
    })
    class AppModule {}

    const app = (await Test.createTestingModule({ imports: [AppModule] }).compile()).createNestApplication();
    await app.init();
    try {
      const { tasks, queue } = app.get(ReportService);
      const mail = await tasks.submitTask('send', { kwargs: { to: 'a' }, queue: 'mails' });
      expect(await tasks.getResult(mail, { timeout: 15_000 })).toBe('mailed {"args":[],"kwargs":{"to":"a"}}');
      await queue.add('report', { month: 3 }, { jobId: 'report-3' });
      expect(await tasks.getResult('report-3', { timeout: 15_000 })).toBe('reported {"month":3}');
    } finally {
      await app.close();
    }
  });
});
