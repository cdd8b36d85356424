// Writes one run after the other, several at once, until it is killed. Arguments: URL of the server, folder of the spool,
// experiment, seed.
import { setTimeout } from 'node:timers/promises';
import { HubError } from '../../../src/core/errors.js';
import { report } from '../../durability/ledger.js';
import { randomFrom } from '../../durability/seeded-random.js';
import { chaosPlugin } from './chaos-plugin.js';
import { writeRun } from './run-writer.js';

const WRITERS = 4;
/** Pause before the plugin is opened again, in ms. */
const PAUSE = 200;

const [, , url = '', spool = '', experimentId = '', seed = ''] = process.argv;
const random = randomFrom(Number(seed));
const mlops = chaosPlugin(url, spool);
for (let open = false; !open;) {
  try {
    await mlops.initialize();
    open = true;
  } catch (error) {
    // Started while the server is away.
    if (!HubError.is(error, 'UNAVAILABLE')) throw error;
    await setTimeout(PAUSE);
  }
}
report('open');
await Promise.all(
  Array.from({ length: WRITERS }, async (_, writer) => {
    for (;;) {
      const points = 100 + Math.floor(random() * 900);
      await writeRun(mlops, { experimentId, points, window: writer === 0 ? 1 : 50, report });
    }
  }),
);
