import { writeSync } from 'node:fs';

/** One line of a ledger: what happened, and to what. */
export type LedgerLine = readonly [event: string, ...values: (string | number)[]];

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/**
 * In the child: tells the parent. It returns when the pipe has the line, also when the parent is slow to read it, so what
 * was reported before a kill is never lost with the process. (`process.stdout` would keep it in memory then.)
 */
export function report(...line: LedgerLine): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

/** In the parent: the lines of what a child wrote; one that the kill cut off is dropped, it was never a whole report. */
export function readLedger(output: string): LedgerLine[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LedgerLine);
}
