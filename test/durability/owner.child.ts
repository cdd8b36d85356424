// On a line of input opens the stores of datastream and task queue, says so, and writes until it is killed. Argument:
// folder.
import './silent-log.js';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { HubError } from '../../src/core/errors.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { report } from './ledger.js';
import { streamOptions } from './stream-ledger.js';

const [, , dataDir = ''] = process.argv;
const stream = new LocalDataStreamPlugin(streamOptions(dataDir));
const tasks = new LocalTaskQueuePlugin({ dataDir });
report('ready');
await once(process.stdin, 'data');
try {
  await stream.initialize();
  await tasks.initialize();
} catch (error) {
  if (!HubError.is(error, 'STORE_LOCKED')) throw error;
  report('locked', Number(error.details['pid'] ?? -1));
  process.exit(3);
}
report('open', process.pid);
for (let number = 1; ; number += 1) {
  const id = `m-${number}`;
  await stream.sendData('work', number, { messageId: id });
  await tasks.submitTask('nobody', { taskId: id });
  report('wrote', number);
  await setTimeout(10);
}
