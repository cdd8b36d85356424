// Child process of drain.spec.ts: an application with one slow task, ended by a real SIGTERM.
import { Controller, Get, Injectable, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExperimentHubModule, Task, TaskQueuePlugin, type TaskContext } from '../../src/index.js';

const dataDir = process.argv[2] ?? '';
const local = { type: 'local', config: { dataDir } };

@Injectable()
class SlowTask {
  @Task('slow')
  async run(task: TaskContext): Promise<string> {
    console.log(`started ${task.taskId}`);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    console.log(`finished ${task.taskId}`);
    return 'done';
  }
}

@Controller()
class AppController {
  constructor(private readonly tasks: TaskQueuePlugin) {}
  @Get()
  root() {
    return { ok: true };
  }
  @Post('tasks')
  async submit() {
    return { taskId: await this.tasks.submitTask('slow') };
  }
}

@Module({
  imports: [
    ExperimentHubModule.forRoot({ config: { plugins: { mlops: local, datastream: local, taskqueue: local } } }),
  ],
  controllers: [AppController],
  providers: [SlowTask],
})
class App {}

const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
app.enableShutdownHooks([], { useProcessExit: true });
await app.listen(0, '127.0.0.1');
console.log(`listening ${await app.getUrl()}`);
