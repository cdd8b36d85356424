import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('mlflow_rates.py', import.meta.url));
/** How long one measurement may take, in ms. */
const DEADLINE = 300_000;

/** MLflow's Python client in a process that stays, so that no figure holds its start. */
export class PythonRates {
  readonly #process: ChildProcess;
  readonly #answers: Interface;

  constructor(python: string, url: string, experimentId: string) {
    const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' };
    const child = spawn(python, [SCRIPT, url, experimentId], { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.#process = child;
    this.#answers = createInterface({ input: child.stdout });
  }

  /** Points/s of logging so many points to a new run. */
  async measure(kind: 'sync' | 'async' | 'batch', points: number): Promise<number> {
    const answer = once(this.#answers, 'line', { signal: AbortSignal.timeout(DEADLINE) });
    this.#process.stdin?.write(`${kind} ${points}\n`);
    return Number((await answer)[0]);
  }

  stop(): void {
    this.#answers.close();
    this.#process.kill('SIGKILL');
  }
}
