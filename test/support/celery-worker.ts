import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LeashedProcess } from './leashed-process.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where Python finds the contract's tasks, and the helper that they share with the example. */
const PATHS = [join(root, 'test', 'support', 'celery'), join(root, 'examples', 'python-worker')];
/** How long a worker may take to be ready, in ms: the first import of Celery on a busy machine is slow. */
const START_DEADLINE = 60_000;
/** How long the tasks that it runs may take when it is stopped, in ms. */
const STOP_DEADLINE = 30_000;
/** What it prints when it listens to its queues and to commands. */
const READY = / ready\.$/m;

/** How a worker is started. */
export interface CeleryWorkerOptions {
  /** The interpreter: the address of the row `python`. */
  python: string;
  /** URL of the broker, as Celery takes it. */
  broker: string;
  /** URL of the results, as Celery takes it: `redis://…` or `rpc://`. */
  backend: string;
  /** Names of its queues; the first is its default one. Default `celery`. */
  queues?: readonly string[];
  /** Of queues of RabbitMQ. Default `classic`. */
  queueType?: 'classic' | 'quorum';
  /** `x-max-priority` of queues of RabbitMQ. Default: none. */
  maxPriority?: number;
  /** `global_keyprefix` of broker and results on Redis. Default: none. */
  keyPrefix?: string;
  /** More settings of Celery, in JSON, e.g. `{ worker_lost_wait: 1 }`. */
  conf?: Readonly<Record<string, unknown>>;
  /** Processes, or threads, that run tasks. Default 2. */
  concurrency?: number;
  /** Default `prefork`; `solo` and `threads` end no task from outside. */
  pool?: 'prefork' | 'solo' | 'threads';
  /** Module with the app. Default `contract_tasks`, which the options above are for. */
  app?: string;
  /** Whether it sends events of tasks. Default: no. */
  events?: boolean;
  /** More of the environment. */
  env?: Readonly<Record<string, string>>;
  /** Name of the worker. Default: one of its own, `hub-…@<host>`. */
  hostname?: string;
}

/** A Celery worker, by default with twins of the contract's tasks. It ends with this process. */
export class CeleryWorker {
  private constructor(
    private readonly folder: string,
    private readonly process: LeashedProcess,
  ) {}

  /** Starts one; resolves when it is ready, which takes about a second. */
  static async start(options: CeleryWorkerOptions): Promise<CeleryWorker> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-celery-'));
    try {
      const leash = { env: environment(options), cwd: folder, output: join(folder, 'worker.log'), litter: folder };
      const worker = new CeleryWorker(folder, await LeashedProcess.start(options.python, commandLine(options), leash));
      await worker.#ready();
      return worker;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Of the worker itself, which runs no tasks unless its pool is `solo` or `threads`. */
  get pid(): number {
    return this.process.pid;
  }

  /** Whether it has not ended. */
  get alive(): boolean {
    return !this.process.ended;
  }

  /** Everything that it printed. */
  async log(): Promise<string> {
    return readFile(join(this.folder, 'worker.log'), 'utf8');
  }

  /** The processes that run its tasks, those that are ending included. */
  async childPids(): Promise<number[]> {
    const pids: number[] = [];
    for (const name of await readdir('/proc')) {
      const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
      // The command's name, in brackets, can hold anything; the state and the parent come after it.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) === this.pid && state !== 'Z') pids.push(Number(name));
    }
    return pids;
  }

  /** Ends it when the tasks that it runs have ended; kills it and rejects when that takes longer than 30 s. */
  async stop(): Promise<void> {
    await this.process.stop(STOP_DEADLINE);
  }

  /** `kill -9` of it and its processes. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  /** Kills it and deletes its log. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE;
    for (;;) {
      const log = await this.log();
      if (READY.test(log)) return;
      if (!this.alive) throw new Error(`the Celery worker ended while it started:\n${log.slice(-4_000)}`);
      if (Date.now() > deadline) {
        await this.kill();
        throw new Error(`the Celery worker was not ready in ${START_DEADLINE} ms:\n${log.slice(-4_000)}`);
      }
      await setTimeout(25);
    }
  }
}

function commandLine(options: CeleryWorkerOptions): string[] {
  const { app = 'contract_tasks', queues = ['celery'], concurrency = 2, pool = 'prefork', events = false } = options;
  const hostname = options.hostname ?? `hub-${randomUUID().slice(0, 8)}@%h`;
  return [
    ...['-m', 'celery', '-A', app, 'worker', '--loglevel', 'INFO', '-n', hostname],
    ...['--concurrency', String(concurrency), '--pool', pool, '-Q', queues.join(',')],
    // What workers tell each other; with many short-lived ones it is only delay.
    ...['--without-gossip', '--without-mingle'],
    ...(events ? ['--task-events'] : []),
  ];
}

function environment(options: CeleryWorkerOptions): NodeJS.ProcessEnv {
  const { queues = ['celery'], queueType, maxPriority, keyPrefix, conf } = options;
  return {
    ...process.env,
    PYTHONPATH: PATHS.join(delimiter),
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    HUB_CELERY_BROKER: options.broker,
    HUB_CELERY_BACKEND: options.backend,
    HUB_CELERY_QUEUES: queues.join(','),
    ...(queueType === undefined ? {} : { HUB_CELERY_QUEUE_TYPE: queueType }),
    ...(maxPriority === undefined ? {} : { HUB_CELERY_MAX_PRIORITY: String(maxPriority) }),
    ...(keyPrefix === undefined ? {} : { HUB_CELERY_KEY_PREFIX: keyPrefix }),
    ...(conf === undefined ? {} : { HUB_CELERY_CONF: JSON.stringify(conf) }),
    ...options.env,
  };
}
