/** One line of a ledger: what happened, and to what. */
export type LedgerLine = readonly [event: string, ...values: (string | number)[]];

/**
 * In the child: tells the parent. On Linux and macOS a write to a pipe has reached it when the call returns, so what was
 * reported before a kill is never lost with the process.
 */
export function report(...line: LedgerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** In the parent: the lines of what a child wrote; one that the kill cut off is dropped, it was never a whole report. */
export function readLedger(output: string): LedgerLine[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LedgerLine);
}
