import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RejectedWrite } from './spool.schema.js';
import type { SpoolFile } from './spool-file.js';

/** Rows that are copied at once. */
const PORTION = 500;

/**
 * Copies the entries of a file on the stage of another, and tells the place of the last; `undefined` when there is nothing
 * to take over now. They become entries there all at once: were a crash to leave some of a run in each file, two processes
 * could replay them at the same time, out of order.
 */
export async function stageEntries(from: SpoolFile, to: SpoolFile, halted: () => boolean): Promise<number | undefined> {
  to.clearStage();
  let last: number | undefined;
  for (;;) {
    const rows = from.head(last ?? 0, PORTION);
    if (rows.length === 0) return last;
    last = rows.at(-1)?.[0];
    to.transaction(() => rows.forEach((row) => to.stage(row)));
    await nextTurn();
    if (halted()) return undefined;
  }
}

/** Moves what the server refused from a file to another, in portions, and tells each of them. */
export async function moveRejected(
  from: SpoolFile,
  to: SpoolFile,
  halted: () => boolean,
  moved: (writes: readonly RejectedWrite[]) => void,
): Promise<void> {
  while (!halted()) {
    const writes = from.rejected(PORTION);
    if (writes.length === 0) return;
    to.transaction(() => writes.forEach((write) => to.insertRejected(write)));
    moved(writes);
    from.transaction(() => writes.forEach(({ id }) => from.removeRejected(id)));
    await nextTurn();
  }
}
