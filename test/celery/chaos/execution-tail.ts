import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerLine } from '../../durability/ledger.js';

/** Most bytes that are read at a time. */
const CHUNK = 65_536;

/** Executions in the ledger as it grows: only what is new is read, so that it does not hold up what is measured. */
export class ExecutionTail {
  readonly #files = new Map<string, { at: number; rest: string }>();
  readonly #runs = new Map<string, { began: number; ended: number[] }>();

  constructor(private readonly folder: string) {}

  /** Whether a task was run, and every run of it had ended before `at`, in ms since 1970. */
  endedBefore(taskId: string, at: number): boolean {
    this.#read();
    const run = this.#runs.get(taskId);
    return run !== undefined && run.ended.filter((ended) => ended <= at).length === run.began;
  }

  #read(): void {
    for (const name of readdirSync(this.folder)) {
      if (!name.startsWith('worker-') || !name.endsWith('.ledger')) continue;
      const known = this.#files.get(name) ?? { at: 0, rest: '' };
      this.#files.set(name, known);
      const file = openSync(join(this.folder, name), 'r');
      try {
        const bytes = Buffer.alloc(CHUNK);
        for (;;) {
          const size = readSync(file, bytes, 0, CHUNK, known.at);
          if (size === 0) break;
          known.at += size;
          // Ids and numbers: all of it is ASCII.
          const lines = `${known.rest}${bytes.toString('latin1', 0, size)}`.split('\n');
          known.rest = lines.pop() ?? '';
          for (const line of lines) this.#add(JSON.parse(line) as LedgerLine);
        }
      } finally {
        closeSync(file);
      }
    }
  }

  #add([event, id, at]: LedgerLine): void {
    const run = this.#runs.get(String(id)) ?? { began: 0, ended: [] };
    this.#runs.set(String(id), run);
    if (event === 'began') run.began += 1;
    else run.ended.push(Number(at));
  }
}
