import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CeleryPlugin } from '../../../src/taskqueue/drivers/celery/celery.plugin.js';
import { FaultLog } from '../../support/fault-log.js';
import type { HealthTruth } from '../../support/health-watch.js';
import type { ChaosLoad } from './chaos-load.js';
import {
  ACKNOWLEDGED_MS,
  CHAOS_OPTIONS,
  FAULT_MS,
  REDIS_WORKER_CONF,
  RESULT_MS,
  SILENCE_MS,
  WORKERS_MS,
} from './chaos-size.js';
import { ChaosStack, type ChaosBroker, type ChaosPart } from './chaos-stack.js';
import { HUB } from './submit-excuse.js';
import { WorkerCrew } from './worker-crew.js';

/** Workers that are there at the same time. */
const WORKERS = 2;
/** Results that nobody has asked for when they are flushed, at least. */
const FLUSHED = 10;
/** How long ago a worker began a task that certainly works, in ms. */
const RECENT_MS = 1_000;

/** Something that goes wrong, for a while. */
export interface ChaosFault {
  kind: string;
  /** What is away meanwhile: `broker`, `results` or `workers`; empty when health need not see it. */
  away: string;
  /** Names in the ledger of the workers that it hits, and `hub`. */
  hits: () => string[];
  run: (load: ChaosLoad) => Promise<unknown>;
  /** How many workers it leaves. Default: all. */
  left?: number;
  /** What is done about it when it is over. */
  after?: () => Promise<void>;
}

/** How long after the end of a fault all went on, in ms. */
export interface ChaosReturn {
  acknowledged: number;
  workers: number;
  result: number;
}

/** Broker, results, workers and an application with one plugin, whose life is one fault after the other. */
export class ChaosScene {
  readonly faults = new FaultLog();

  private constructor(
    readonly stack: ChaosStack,
    readonly crew: WorkerCrew,
    /** The application; it is never restarted. */
    readonly plugin: CeleryPlugin,
    /** Of the ledger. */
    readonly folder: string,
  ) {}

  /** Starts it all. */
  static async open(kind: ChaosBroker, python: string): Promise<ChaosScene> {
    const stack = await ChaosStack.open(kind);
    const folder = await mkdtemp(join(tmpdir(), 'hub-chaos-'));
    const conf = kind === 'redis' ? REDIS_WORKER_CONF : {};
    const crew = new WorkerCrew({ python, ...stack.direct, conf, concurrency: 2 }, folder);
    const plugin = new CeleryPlugin({ ...stack.options, ...CHAOS_OPTIONS });
    const scene = new ChaosScene(stack, crew, plugin, folder);
    try {
      await plugin.initialize();
      await Promise.all(Array.from({ length: WORKERS }, () => crew.hire()));
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  /** What is true of the moment, found without the code under test. */
  async truth(): Promise<HealthTruth> {
    const recently = Date.now() - RECENT_MS;
    const away: string[] = [...(await this.stack.away()), ...(this.crew.alive ? [] : ['workers'])];
    return { away: away.join(','), working: this.crew.names.some((name) => this.crew.began(name, recently)) };
  }

  /** Lets one happen, until submits, every worker, and results are there again. */
  async suffer(fault: ChaosFault, load: ChaosLoad): Promise<ChaosReturn> {
    const noted = this.faults.begin(fault.kind, fault.hits());
    await fault.run(load);
    noted.ended = Date.now();
    const acknowledged = await load.back('acknowledged', noted.ended, ACKNOWLEDGED_MS, fault.kind);
    await this.crew.working(fault.left ?? WORKERS, noted.ended, WORKERS_MS, fault.kind);
    const workers = Date.now();
    const result = await load.back('ended', noted.ended, RESULT_MS, fault.kind);
    noted.over = Date.now();
    await fault.after?.();
    const after = (at: number): number => at - noted.ended;
    return { acknowledged: after(acknowledged), workers: after(workers), result: after(result) };
  }

  /** One of each kind. */
  kinds(): ChaosFault[] {
    const { broker, results } = this.stack;
    const all = (): string[] => [HUB, ...this.crew.names];
    const hub = (): string[] => [HUB];
    const victim = (): string => this.crew.names[0] ?? '';
    const away = async (server: typeof broker, end: 'stop' | 'kill'): Promise<void> => {
      await server[end]();
      await pause(FAULT_MS);
      await server.start();
    };
    const kinds: ChaosFault[] = [
      { kind: 'broker stopped', away: 'broker', hits: all, run: () => away(broker, 'stop') },
      { kind: 'broker killed', away: 'broker', hits: all, run: () => away(broker, 'kill') },
      { kind: 'results stopped', away: 'results', hits: all, run: () => away(results, 'stop') },
      { kind: 'results flushed', away: '', hits: all, run: (load) => this.#flush(load) },
      {
        kind: 'worker killed',
        away: '',
        hits: () => [victim()],
        run: () => this.crew.kill([victim()]),
        left: WORKERS - 1,
        after: () => this.#replace(1),
      },
      { kind: 'all workers killed', away: 'workers', hits: () => this.crew.names, run: () => this.#killAll() },
      { kind: 'pool process killed', away: '', hits: () => [victim()], run: () => this.crew.killChild(victim()) },
    ];
    for (const part of ['broker', 'results'] as const) {
      kinds.push(
        { kind: `network to ${part} silent`, away: part, hits: hub, run: () => this.#silence(part) },
        { kind: `network to ${part} reset`, away: part, hits: hub, run: () => this.#reset(part) },
      );
    }
    return kinds;
  }

  /** Ends it all. */
  async close(): Promise<void> {
    await this.stack.restore();
    await this.plugin.shutdown();
    await this.crew.close();
    await this.stack.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #replace(count: number): Promise<void> {
    const since = Date.now();
    await Promise.all(Array.from({ length: count }, () => this.crew.hire()));
    await this.crew.working(WORKERS, since, WORKERS_MS, 'started');
  }

  async #killAll(): Promise<void> {
    await this.crew.kill(this.crew.names);
    await pause(FAULT_MS);
    await this.#replace(WORKERS);
  }

  async #flush(load: ChaosLoad): Promise<void> {
    await load.flushing(FLUSHED, WORKERS_MS, async () => {
      if ((await this.stack.flush()) === 0) throw new Error('there was nothing to flush');
    });
  }

  async #silence(part: ChaosPart): Promise<void> {
    this.stack.silence(part);
    await pause(SILENCE_MS);
    this.stack.speak(part);
  }

  async #reset(part: ChaosPart): Promise<void> {
    const proxy = this.stack.proxies[part];
    if (proxy.connections === 0) throw new Error(`there was no connection to the ${part}`);
    proxy.refuse();
    proxy.cut();
    await pause(FAULT_MS);
    await proxy.accept();
  }
}
