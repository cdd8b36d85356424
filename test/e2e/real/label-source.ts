import type { TaskQueuePlugin } from '../../../src/taskqueue/taskqueue.plugin.js';
import { DIGITS } from '../../support/real-stack.js';

/** Rows and labels of the digits, by their number. */
export interface LabelledRows {
  rows: number[][];
  labels: number[];
}

/** Asks the worker for rows and their labels, in parts that a result holds. */
export async function labelledRows(tasks: TaskQueuePlugin, start: number, stop: number): Promise<LabelledRows> {
  const all: LabelledRows = { rows: [], labels: [] };
  for (let from = start; from < stop; from += 500) {
    const id = await tasks.submitTask('sklearn.rows', {
      kwargs: {
        data: { dataset: 'digits', driftFrom: DIGITS.driftFrom },
        start: from,
        stop: Math.min(stop, from + 500),
      },
    });
    const part = (await tasks.getResult(id, { timeout: 60_000 })) as unknown as LabelledRows;
    all.rows.push(...part.rows);
    all.labels.push(...part.labels);
  }
  return all;
}
