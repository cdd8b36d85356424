// A worker that is frozen and killed. Arguments: url, prefix, folder of the ledger, name in the ledger.
import '../../durability/silent-log.js';
import { BullMQPlugin } from '../../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { CHAOS_OPTIONS, TASK } from './chaos-size.js';
import { doubling } from './chaos-task.js';

const [url = '', prefix = '', folder = '', writer = ''] = process.argv.slice(2);
const plugin = new BullMQPlugin({ url, prefix, ...CHAOS_OPTIONS });
await plugin.initialize();
await plugin.registerTask(TASK, doubling(folder, writer));
