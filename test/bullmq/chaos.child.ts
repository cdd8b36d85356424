import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';

/** A worker that is killed: serves `double`, which takes a moment. */
Logger.overrideLogger(false);
const [url = '', prefix = ''] = process.argv.slice(2);
const plugin = new BullMQPlugin({ url, prefix, lockDuration: 1_000, stalledInterval: 1_000, maxStalledCount: 50 });
await plugin.initialize();
await plugin.registerTask('double', async ({ args }) => {
  await wait(5);
  return Number(args[0]) * 2;
});
