import { Logger } from '@nestjs/common';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';

/** Serves `mortal`, which never ends, and says on its standard output that it runs. */
// Its standard output is for what the parent reads.
Logger.overrideLogger(false);
const [url = '', prefix = ''] = process.argv.slice(2);
const plugin = new BullMQPlugin({ url, prefix, lockDuration: 500, stalledInterval: 500 });
await plugin.initialize();
await plugin.registerTask('mortal', ({ attempt }) => {
  process.stdout.write(`${JSON.stringify({ attempt })}\n`);
  return new Promise(() => undefined);
});
