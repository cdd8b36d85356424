// Consumes a queue one by one; a poisonous message kills the process. Arguments: URL, type of the queue, queue, its
// delivery limit.
import '../../durability/silent-log.js';
import { report } from '../../durability/ledger.js';
import { openChaosPlugin } from './chaos-plugin.js';

const [, , url = '', queueType = '', queue = '', deliveryLimit = ''] = process.argv;
const plugin = await openChaosPlugin(url, { queueType: queueType === 'classic' ? 'classic' : 'quorum' });
await plugin.createQueue(queue, { deliveryLimit: Number(deliveryLimit) });
await plugin.subscribe(
  queue,
  ({ messageId, payload, attempt }) => {
    report('took', messageId, attempt);
    if (payload === 'poison') process.kill(process.pid, 'SIGKILL');
  },
  { prefetch: 1 },
);
