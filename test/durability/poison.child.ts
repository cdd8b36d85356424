// Takes up a message or a task that kills its process. Arguments: folder, `message` or `task`.
import './silent-log.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { report } from './ledger.js';

const [, , dataDir = '', kind = ''] = process.argv;

function die(attempt: number): never {
  report('taken', attempt);
  process.kill(process.pid, 'SIGKILL');
  throw new Error('still alive');
}

if (kind === 'message') {
  const stream = new LocalDataStreamPlugin({ dataDir, durability: 'process', maxPayloadBytes: 1_024, queues: [] });
  await stream.initialize();
  await stream.subscribe('poisoned', ({ attempt }) => die(attempt));
} else {
  const tasks = new LocalTaskQueuePlugin({ dataDir, attemptLimit: 2 });
  await tasks.initialize();
  await tasks.registerTask('poison', ({ attempt }) => die(attempt));
}
// Ends by itself, and so with an exit code, when nothing is taken up.
setTimeout(() => report('nothing'), 300);
