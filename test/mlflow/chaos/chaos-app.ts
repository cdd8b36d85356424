import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LedgerLine } from '../../durability/ledger.js';

const PROGRAM = fileURLToPath(new URL('./app.child.ts', import.meta.url));
/** How long an app may take to say that it is open, in ms. */
const OPEN_DEADLINE = 60_000;

/** An app in a process of its own, whose ledger is kept here. */
export class ChaosApp {
  #errors = '';
  readonly #closed: Promise<unknown>;
  readonly #opened: Promise<void>;

  /** @param add gets each whole line that it reports */
  constructor(args: readonly (string | number)[], add: (line: LedgerLine) => void) {
    // Nothing here is injected by type, so the faster loader does.
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors = (this.#errors + text).slice(-4_000)));
    this.#closed = once(child, 'close');
    this.#opened = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the app did not open')), OPEN_DEADLINE);
      this.#closed.then(() => clearTimeout(late), reject);
      createInterface({ input: child.stdout }).on('line', (text) => {
        const line = parsed(text);
        if (line?.[0] === 'open') {
          clearTimeout(late);
          resolve();
        } else if (line !== undefined) add(line);
      });
    });
    this.#opened.catch(() => undefined);
  }

  readonly #child: ChildProcess;

  /** Resolves when it writes. */
  async open(): Promise<void> {
    await Promise.race([this.#opened, this.#closed.then(() => Promise.reject(new Error(this.#death())))]);
  }

  /** `kill -9`; rejects when it was dead before, or has complained. */
  async kill(): Promise<void> {
    const alive = this.#child.exitCode === null && this.#child.signalCode === null;
    this.#child.kill('SIGKILL');
    await this.#closed;
    if (!alive || this.#errors !== '') throw new Error(this.#death());
  }

  #death(): string {
    return `the app ended with ${this.#child.signalCode ?? this.#child.exitCode}.\n${this.#errors}`;
  }
}

/** A line of the ledger; one that the kill cut off was never a whole report. */
function parsed(text: string): LedgerLine | undefined {
  try {
    return JSON.parse(text) as LedgerLine;
  } catch {
    return undefined;
  }
}
