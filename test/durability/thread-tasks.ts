// Tasks for worker threads. They report nothing themselves: what a thread prints goes through the main thread and may be
// lost with it, so they tell by progress, which is stored.
import { setTimeout } from 'node:timers/promises';
import { defineTasks } from '../../src/taskqueue/index.js';

export default defineTasks({
  'thread.add': ({ args: [a, b] }) => Number(a) + Number(b),
  'thread.hang': async ({ progress, signal }) => {
    for (let beat = 0; process.env['HUB_TEST_HANG'] === 'yes'; beat += 1) {
      await progress(beat);
      await setTimeout(5, undefined, { signal });
    }
    return 'ended';
  },
});
