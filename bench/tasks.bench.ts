import { TaskQueueModule, TaskQueuePlugin } from 'nestjs-experiment-hub';
import { elapsed, percentile, rate, time, type Bench } from './bench.js';
import { open } from './open.js';

const TASKS = 5_000;

/** Tasks through the local queue, run in this process. */
export const tasks: Bench = {
  name: 'tasks',
  async run(folder) {
    const app = await open(TaskQueueModule.forRoot({ config: { dataDir: folder } }));
    const queue = app.get(TaskQueuePlugin);
    await queue.registerTask('add', ({ kwargs }) => Number(kwargs['a']) + Number(kwargs['b']));
    const ms = await elapsed(async () => {
      const ids = await queue.submitTasks(
        Array.from({ length: TASKS }, (_unused, a) => ({ name: 'add', kwargs: { a, b: 1 } })),
      );
      await Promise.all(ids.map((id) => queue.getResult(id)));
    });
    const trips: number[] = [];
    for (let a = 0; a < 1_000; a += 1) {
      trips.push(
        await elapsed(async () => {
          const sum = await queue.getResult(await queue.submitTask('add', { kwargs: { a, b: 1 } }));
          if (sum !== a + 1) throw new Error(`wrong sum ${String(sum)}`);
        }),
      );
    }
    await app.close();
    return [
      rate('submitTasks to results', 'tasks/s', (TASKS / ms) * 1_000, null),
      time('submit to result, p50', 'ms', percentile(trips, 50), null),
      time('submit to result, p99', 'ms', percentile(trips, 99), null),
    ];
  },
};
