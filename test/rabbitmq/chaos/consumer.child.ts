// Consumes two queues without pause until it is killed, and reports what it has been given. Arguments: URL, quorum queue,
// classic queue.
import '../../durability/silent-log.js';
import { report } from '../../durability/ledger.js';
import type { DataHandler } from '../../../src/datastream/index.js';
import { openChaosPlugin } from './chaos-plugin.js';

const [, , url = '', quorum = '', classic = ''] = process.argv;
// Reported before it is acked: what is reported and not acked comes again, and nothing is lost in between.
const handler: DataHandler = ({ queue, messageId, payload, attempt }) =>
  report(queue, messageId, String(payload), attempt);
for (const [queue, queueType] of [
  [quorum, 'quorum'],
  [classic, 'classic'],
] as const) {
  const plugin = await openChaosPlugin(url, { queueType });
  await plugin.createQueue(queue);
  await plugin.subscribe(queue, handler, { concurrency: 10, prefetch: 100 });
}
