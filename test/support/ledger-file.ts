import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerLine } from '../durability/ledger.js';

/** So many bytes at the end of a file hold the last lines. */
const TAIL = 2_000;

/** A file of the ledger: each line is with the kernel when {@link write} returns, so it survives `kill -9`. */
export class LedgerFile {
  readonly #file: number;

  /** @param name of the file, unique to its writer */
  constructor(folder: string, name: string) {
    this.#file = openSync(pathOf(folder, name), 'a');
  }

  /** Appends a line. */
  write(...line: LedgerLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    if (writeSync(this.#file, bytes) !== bytes.length) throw new Error('the ledger took only a part of a line');
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** All lines of a ledger, by the name of their writer. What `kill -9` cut off was never a whole line. */
export function readLedgerFiles(folder: string): Map<string, LedgerLine[]> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.ledger'));
  return new Map(
    files.map((file) => {
      const lines = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1);
      return [file.slice(0, -'.ledger'.length), lines.map((line) => JSON.parse(line) as LedgerLine)];
    }),
  );
}

/** The last lines of one writer, without reading all of them. */
export function lastLines(folder: string, name: string): LedgerLine[] {
  if (!existsSync(pathOf(folder, name))) return [];
  const file = openSync(pathOf(folder, name), 'r');
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - TAIL);
    const bytes = Buffer.alloc(size - from);
    readSync(file, bytes, 0, bytes.length, from);
    const lines = bytes
      .toString()
      .split('\n')
      .slice(from === 0 ? 0 : 1, -1);
    return lines.map((line) => JSON.parse(line) as LedgerLine);
  } finally {
    closeSync(file);
  }
}

function pathOf(folder: string, name: string): string {
  return join(folder, `${name}.ledger`);
}
