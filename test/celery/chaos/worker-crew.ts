import { readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../../src/core/contract.js';
import { CeleryWorker, type CeleryWorkerOptions } from '../../support/celery-worker.js';
import { lastLines } from '../../support/ledger-file.js';

const PATHS = ['.', '../../support/celery', '../../../examples/python-worker'];
/** Most time until a worker is found at work, in ms. */
const CATCH_MS = 20_000;
/** Most time until a killed process is gone, in ms. */
const GONE_MS = 10_000;

/** From one look of the supervisor to the next, in ms. */
const SUPERVISE_MS = 200;

/**
 * The Python workers, each with a name in the ledger, and the supervisor that every deployment has: kombu ends a worker by an
 * AttributeError when Redis as the broker is away while tasks are not acked, and somebody has to start it again.
 */
export class WorkerCrew {
  /** Workers that ended by themselves and were replaced: the last line of each one's log. */
  readonly crashes: string[] = [];
  readonly #workers = new Map<string, CeleryWorker>();
  readonly #doomed = new Set<string>();
  readonly #timer = setInterval(() => this.#supervise(), SUPERVISE_MS);
  #starting: Promise<unknown> = Promise.resolve();
  #hired = 0;

  /** @param folder of the ledger */
  constructor(
    private readonly options: CeleryWorkerOptions,
    private readonly folder: string,
  ) {}

  /** Names of those that were not killed. */
  get names(): string[] {
    return [...this.#workers.keys()];
  }

  /** Whether the main process of one is alive. */
  get alive(): boolean {
    return [...this.#workers.values()].some((worker) => worker.alive);
  }

  /** Starts one; resolves to its name when it is ready. */
  async hire(): Promise<string> {
    const name = `worker-${(this.#hired += 1)}`;
    const env = {
      PYTHONPATH: PATHS.map((path) => fileURLToPath(new URL(path, import.meta.url))).join(delimiter),
      HUB_CHAOS_FOLDER: this.folder,
      HUB_CHAOS_WRITER: name,
    };
    const hostname = `${name}@%h`;
    this.#workers.set(name, await CeleryWorker.start({ ...this.options, app: 'chaos_tasks', env, hostname }));
    return name;
  }

  /** Whether one began a task after `since`, in ms since 1970. */
  began(name: string, since: number): boolean {
    return lastLines(this.folder, name).some(([event, , at]) => event === 'began' && Number(at) > since);
  }

  /**
   * Waits until `count` workers have each begun a task after `since`.
   * @param what for the error, which has the log of one that has not
   */
  async working(count: number, since: number, ms: number, what: string): Promise<void> {
    const idle = (): string | undefined => this.names.find((name) => !this.began(name, since));
    const all = (): boolean => this.names.length === count && idle() === undefined;
    await eventually(all, '', ms).catch(async () => {
      const worker = this.#workers.get(idle() ?? '');
      const log = ((await worker?.log()) ?? '').replace(/^.*(received|succeeded in .*)$\n/gm, '');
      const state = `${idle()} of ${this.names.join(', ')} runs no tasks (crashes: ${this.crashes.join('; ')})`;
      throw new Error(`${state} ${ms} ms after "${what}":\n${log.slice(-6_000)}`);
    });
  }

  /**
   * `kill -9` of some, with their processes, in the middle of a task. They are not stopped before: a broker on Redis would
   * hand what is in its lists to those that cannot take it any more.
   */
  async kill(names: readonly string[]): Promise<void> {
    for (const name of names) this.#doomed.add(name);
    const killed = names.map(async (name) => {
      const worker = this.#worker(name);
      const pids = [worker.pid, ...(await worker.childPids())];
      await eventually(() => this.#open(name).length > 0, `${name} is at work`, CATCH_MS);
      await worker.kill();
      this.#workers.delete(name);
      await gone(pids);
      await worker.remove();
    });
    await Promise.all(killed);
  }

  /** `kill -9` of one of a worker's processes, in the middle of a task. */
  async killChild(name: string): Promise<void> {
    const pid = await this.#catch(name);
    if (!(await this.#worker(name).childPids()).includes(pid)) throw new Error(`${name} has no process ${pid}`);
    process.kill(pid, 'SIGKILL');
    await gone([pid]);
    if (!this.#worker(name).alive) throw new Error(`${name} did not survive its process`);
  }

  /** Ends all. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#starting;
    await Promise.all([...this.#workers.values()].map((worker) => worker.remove()));
  }

  #supervise(): void {
    for (const [name, worker] of this.#workers) {
      if (worker.alive || this.#doomed.has(name)) continue;
      this.#workers.delete(name);
      const replace = async (): Promise<void> => {
        const log = await worker.log();
        this.crashes.push(log.trim().split('\n').at(-1) ?? '');
        await worker.remove();
        await this.hire();
      };
      // A broker that is away lets none start; the next look tries again with another one that has ended.
      this.#starting = Promise.all([this.#starting, replace()]).catch((error: unknown) =>
        this.crashes.push(`no replacement: ${String(error)}`),
      );
    }
  }

  #worker(name: string): CeleryWorker {
    const worker = this.#workers.get(name);
    if (worker === undefined || !worker.alive) throw new Error(`there is no ${name}`);
    return worker;
  }

  /** Processes of a worker that are in the middle of a task that acks late. */
  #open(name: string): number[] {
    const open = new Map<string, number>();
    for (const [event, id, , , pid] of lastLines(this.folder, name)) {
      if (!String(id).startsWith('late')) continue;
      if (event === 'began') open.set(`${id} ${pid}`, Number(pid));
      else open.delete(`${id} ${pid}`);
    }
    return [...open.values()];
  }

  /** Stops (SIGSTOP) a process of a worker in the middle of a task. */
  async #catch(name: string): Promise<number> {
    const deadline = Date.now() + CATCH_MS;
    for (;;) {
      const [pid] = this.#open(name);
      if (pid !== undefined) {
        process.kill(pid, 'SIGSTOP');
        // The signal takes effect when the process is scheduled.
        await pause(5);
        if (this.#open(name).includes(pid)) return pid;
        process.kill(pid, 'SIGCONT');
      }
      if (Date.now() > deadline) throw new Error(`${name} was not found at work within ${CATCH_MS} ms`);
      await pause(7);
    }
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  const isGone = async (pid: number): Promise<boolean> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // One that nobody has waited for yet runs nothing.
    return stat === '' || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  };
  for (const pid of pids) await eventually(() => isGone(pid), `process ${pid} is gone`, GONE_MS);
}
