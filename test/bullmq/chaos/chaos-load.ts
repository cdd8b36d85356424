import { HubError } from '../../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../../src/taskqueue/index.js';
import { tally, type Tally } from '../../support/tally.js';
import { TaskLoad, type LoadTask } from '../../support/task-load.js';
import { TASK } from './chaos-size.js';

/** Most time until a task that was acknowledged has ended, in ms. */
const RESULT_MS = 120_000;

/** The load of the BullMQ chaos test. */
export class ChaosLoad extends TaskLoad {
  /** What became of the acknowledged ones: `right`, `wrong`, or an error's code. */
  readonly ends: Tally = new Map();

  /** @param folder of the ledger */
  constructor(plugin: TaskQueuePlugin, folder: string, random: () => number) {
    super(plugin, folder, random, { batch: 50, single: 10, givesUp: 0.2 });
  }

  protected task(number: number): LoadTask {
    return { name: TASK, taskId: `t-${number}`, args: [number] };
  }

  protected async ended({ taskId, args }: LoadTask): Promise<boolean> {
    try {
      const result = await this.plugin.getResult(taskId, { timeout: RESULT_MS });
      tally(this.ends, result === Number(args[0]) * 2 ? 'right' : 'wrong');
      return true;
    } catch (error) {
      tally(this.ends, HubError.is(error) ? error.code : String(error));
      return false;
    }
  }
}
