import { setTimeout as wait } from 'node:timers/promises';
import type { TaskHandler } from '../../../src/taskqueue/index.js';
import { LedgerFile } from '../../support/ledger-file.js';

/** How long the task takes, in ms. */
const WORK_MS = 5;

/**
 * The task of the test, `double`: notes in the ledger that it starts, and that it ends.
 * @param writer name of this process in the ledger
 */
export function doubling(folder: string, writer: string): TaskHandler {
  const ledger = new LedgerFile(folder, writer);
  return async ({ taskId, args, attempt }) => {
    ledger.write('began', taskId, Date.now(), attempt, process.pid);
    await wait(WORK_MS);
    const result = Number(args[0]) * 2;
    ledger.write('ended', taskId, Date.now(), result, process.pid);
    return result;
  };
}
