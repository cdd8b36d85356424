import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How long one measurement may take, in ms. */
const DEADLINE = 300_000;

/** A Python client in a process that stays, so that no figure holds its start. */
export class PythonRates {
  readonly #process: ChildProcess;
  readonly #answers: Interface;

  /** @param script a file beside this one, which answers each line of its input with a number */
  constructor(python: string, script: string, args: readonly string[]) {
    const file = fileURLToPath(new URL(script, import.meta.url));
    const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' };
    const child = spawn(python, [file, ...args], { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.#process = child;
    this.#answers = createInterface({ input: child.stdout });
  }

  /** What the script answers to `request`, usually a rate. */
  async measure(...request: (string | number)[]): Promise<number> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(DEADLINE)]);
    const end = (): void => waiting.abort(new Error('the Python client has ended'));
    this.#process.once('exit', end);
    try {
      const answer = once(this.#answers, 'line', { signal });
      this.#process.stdin?.write(`${request.join(' ')}\n`);
      return Number((await answer)[0]);
    } finally {
      this.#process.off('exit', end);
    }
  }

  stop(): void {
    this.#answers.close();
    this.#process.kill('SIGKILL');
  }
}
