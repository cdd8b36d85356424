// A CPU-bound task, for a worker thread and, as the control, for the main thread.
import { defineTasks, type TaskContext } from '../../src/taskqueue/index.js';

/** Computes for `args[0]` ms without a pause. */
export function burn({ args }: TaskContext): { began: number; ended: number; rounds: number } {
  const began = Date.now();
  let rounds = 0;
  for (let value = 1; Date.now() - began < Number(args[0]); rounds += 1) {
    for (let step = 0; step < 100_000; step += 1) value = (value * 48_271) % 2_147_483_647;
  }
  return { began, ended: Date.now(), rounds };
}

export default defineTasks({ burn });
