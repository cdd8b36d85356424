// Sends, pulls and settles without pause until it is killed. Arguments: folder, round, seed.
import './silent-log.js';
import { setImmediate } from 'node:timers/promises';
import type { Delivery } from '../../src/datastream/index.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { report } from './ledger.js';
import { randomFrom } from './seeded-random.js';
import { streamOptions } from './stream-ledger.js';

const [, , dataDir = '', round = '', seed = ''] = process.argv;
const random = randomFrom(Number(seed));
const plugin = new LocalDataStreamPlugin(streamOptions(dataDir));
await plugin.initialize();

const held: Delivery[] = [];
let sent = 0;
const next = () => `r${round}-${(sent += 1)}`;

async function send(): Promise<void> {
  const messageId = next();
  report('sending', messageId);
  await plugin.sendData('work', { text: 'x'.repeat(Math.floor(random() * 2_000)) }, { messageId });
  report('sent', messageId);
}

async function sendMany(): Promise<void> {
  const ids = Array.from({ length: 10 }, next);
  for (const id of ids) report('sending', id);
  await plugin.sendBatch(
    'work',
    ids.map((messageId) => ({ messageId, payload: messageId })),
  );
  for (const id of ids) report('sent', id);
}

async function pull(): Promise<void> {
  report('pulling');
  const delivery = await plugin.pullData('work');
  if (delivery === null) return;
  held.push(delivery);
  report('pulled', delivery.messageId, delivery.attempt);
}

async function settle(delivery: Delivery): Promise<void> {
  const { messageId } = delivery;
  const dice = random();
  if (dice < 0.6) {
    report('acking', messageId);
    await delivery.ack();
    report('acked', messageId);
  } else if (dice < 0.85) {
    await delivery.requeue(random() < 0.5 ? {} : { delay: 20 });
    report('requeued', messageId);
  } else {
    report('rejecting', messageId);
    await delivery.reject('not this one');
    report('rejected', messageId);
  }
}

for (;;) {
  const dice = random();
  if (dice < 0.4) await send();
  else if (dice < 0.45) await sendMany();
  else if (dice < 0.75) await pull();
  else if (held.length > 20) await Promise.all(held.splice(Math.floor(random() * held.length), 1).map(settle));
  // The driver answers within one turn of the event loop; its timers need turns, too.
  if (dice < 0.1) await setImmediate();
}
