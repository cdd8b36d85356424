// Child process of event-loop.spec.ts: an application whose task "burn" runs in a worker thread or on the main thread.
// Arguments: folder, `thread` or `main`.
import { Controller, Get, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExperimentHubModule, TaskQueuePlugin } from '../../src/index.js';
import { burn } from './burn-tasks.js';

const [, , dataDir = '', where = ''] = process.argv;
const local = { type: 'local', config: { dataDir } };

@Controller('burn')
class BurnController {
  constructor(private readonly tasks: TaskQueuePlugin) {}

  @Post(':ms')
  async start(@Param('ms') ms: string) {
    // A little later, so that this answer is out before the main thread is busy.
    return { taskId: await this.tasks.submitTask('burn', { args: [Number(ms)], countdown: 200 }) };
  }

  @Get(':taskId')
  async end(@Param('taskId') taskId: string) {
    return this.tasks.getResult(taskId, { timeout: 30_000 });
  }
}

@Module({
  imports: [
    ExperimentHubModule.forRoot({ config: { plugins: { mlops: local, datastream: local, taskqueue: local } } }),
  ],
  controllers: [BurnController],
})
class App {}

const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
const tasks = app.get(TaskQueuePlugin);
if (where === 'thread') await tasks.registerTasks(new URL('./burn-tasks.ts', import.meta.url));
else await tasks.registerTask('burn', burn);
console.log(`listening ${await app.getUrl()}`);
