import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readLedger, type LedgerLine } from './ledger.js';

/** How long a child may take to its first report, and to its death, in ms. */
const CHILD_DEADLINE = 45_000;

/** What is left of a child that was killed. */
export interface KilledChild {
  /** Everything that it reported, in order. */
  ledger: LedgerLine[];
  /** From the first report to the end, in ms. */
  lived: number;
}

/**
 * Runs a program of this folder until `kill -9`, and proves that this is what ended it.
 * @param program file name
 * @param killAfter ms from the first report; when left out, the program kills itself
 */
export async function killedChild(
  program: string,
  args: readonly (string | number)[],
  killAfter?: number,
): Promise<KilledChild> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  // Nothing here is injected by type, so the faster loader does.
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  let began: number | undefined;
  let overdue = false;
  const deadline = setTimeout(() => {
    overdue = true;
    child.kill('SIGKILL');
  }, CHILD_DEADLINE);
  let killTimer: NodeJS.Timeout | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    began ??= performance.now();
    if (killAfter !== undefined) killTimer ??= setTimeout(() => child.kill('SIGKILL'), killAfter);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4_000)));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    // "close" comes when the pipes have been read to their end, too.
    child.once('close', (...end) => resolve(end));
  });
  clearTimeout(deadline);
  clearTimeout(killTimer);
  if (overdue) throw new Error(`${program} was not killed within ${CHILD_DEADLINE} ms.\n${errors}`);
  if (signal !== 'SIGKILL') throw new Error(`${program} ended with ${signal ?? code} instead of SIGKILL.\n${errors}`);
  if (errors !== '') throw new Error(`${program} complained:\n${errors}`);
  return { ledger: readLedger(output), lived: Math.round(performance.now() - (began ?? performance.now())) };
}
