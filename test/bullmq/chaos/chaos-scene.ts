import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../../src/core/contract.js';
import type { BullMQPlugin } from '../../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { BullMQRoom } from '../../support/bullmq-room.js';
import { FaultLog } from '../../support/fault-log.js';
import type { HealthTruth } from '../../support/health-watch.js';
import { LeashedProcess } from '../../support/leashed-process.js';
import { lastLines } from '../../support/ledger-file.js';
import { serverAnswers } from '../../support/port-truth.js';
import { RedisServer } from '../../support/redis-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { CHAOS_OPTIONS, FAULT_MS, FREEZE_MS, RETURN_MS, TASK } from './chaos-size.js';
import { doubling } from './chaos-task.js';

const CHILD = fileURLToPath(new URL('worker.child.ts', import.meta.url));
/** Most time until the workers are there, in ms. */
const START_MS = 60_000;
/** Most time until a worker is found at work. */
const CATCH_MS = 10_000;
/** Name in the ledger of the worker that is in the application itself. */
const HUB = 'hub';

/** Something that goes wrong, for a while. */
interface ChaosFault {
  kind: string;
  /** Names in the ledger of the workers that it hits. */
  hits: () => string[];
  run: () => Promise<unknown>;
  /** What is done about it when it is over. */
  after?: () => Promise<void>;
}

/**
 * A Redis server of its own, a worker process that is frozen, one that is killed, and an application that submits and
 * works, whose network can be cut.
 */
export class ChaosScene {
  readonly faults = new FaultLog();
  readonly #workers = new Map<string, LeashedProcess>();
  #hired = 0;
  #silent = false;

  private constructor(
    readonly server: RedisServer,
    readonly proxy: TcpProxy,
    readonly room: BullMQRoom,
    /** The application. */
    readonly plugin: BullMQPlugin,
    /** Of the ledger. */
    readonly folder: string,
  ) {}

  /** Starts it all. */
  static async open(): Promise<ChaosScene> {
    // What was acknowledged has to survive `kill -9` of the server.
    const server = await RedisServer.create({ args: ['--appendfsync', 'always'] });
    const proxy = await TcpProxy.start(server.port);
    const room = new BullMQRoom(server.url);
    const folder = await mkdtemp(join(tmpdir(), 'hub-chaos-'));
    const plugin = room.make({ ...CHAOS_OPTIONS, url: `redis://127.0.0.1:${proxy.port}` });
    const scene = new ChaosScene(server, proxy, room, plugin, folder);
    try {
      await plugin.initialize();
      await plugin.registerTask(TASK, doubling(folder, HUB));
      await Promise.all([scene.#hire(), scene.#hire()]);
      const all = async (): Promise<boolean> => (await plugin.ping({ timeout: 5_000 })) === 3;
      await eventually(all, 'all workers are there', START_MS);
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  /** What is true of the moment, found without the code under test: whether Redis answers where the application looks for it. */
  async truth(): Promise<HealthTruth> {
    const there = !this.#silent && (await serverAnswers('redis', this.proxy.port));
    // The application itself works, so health has to say up whenever Redis is there.
    return { away: there ? '' : 'Redis', working: true };
  }

  /** Names in the ledger of those that work now. */
  get workers(): string[] {
    return [HUB, ...this.#workers.keys()];
  }

  /** Lets one happen from its begin until everybody works again; resolves to how long that took after its end, in ms. */
  async suffer(fault: ChaosFault): Promise<number> {
    const noted = this.faults.begin(fault.kind, fault.hits());
    await fault.run();
    noted.ended = Date.now();
    await this.#working(noted.ended);
    noted.over = Date.now();
    await fault.after?.();
    return noted.over - noted.ended;
  }

  /** One of each kind. */
  kinds(): ChaosFault[] {
    const all = (): string[] => this.workers;
    const hub = (): string[] => [HUB];
    const victim = (): string => [...this.#workers.keys()][0] ?? '';
    return [
      { kind: 'Redis stopped', hits: all, run: () => this.#away(() => this.server.stop()) },
      { kind: 'Redis killed', hits: all, run: () => this.#away(() => this.server.kill()) },
      { kind: 'Redis out of memory', hits: all, run: () => this.#outOfMemory() },
      { kind: 'connections killed', hits: all, run: () => this.#killConnections() },
      { kind: 'network cut', hits: hub, run: () => this.#cut() },
      { kind: 'network silent', hits: hub, run: () => this.#silence() },
      { kind: 'worker frozen', hits: () => [victim()], run: () => this.#freeze(victim()) },
      { kind: 'worker killed', hits: () => [victim()], run: () => this.#kill(victim()), after: () => this.#replace() },
    ];
  }

  /** Ends it all. */
  async close(): Promise<void> {
    this.proxy.thaw();
    await this.proxy.accept();
    await this.server.start();
    await this.room.close();
    await Promise.all([...this.#workers.values()].map((worker) => worker.kill()));
    this.proxy.stop();
    await this.server.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #hire(): Promise<string> {
    const name = `worker-${(this.#hired += 1)}`;
    const args = ['--import', 'tsx', CHILD, this.room.url, this.room.prefix, this.folder, name];
    const options = { env: process.env, cwd: process.cwd(), output: join(this.folder, `${name}.log`) };
    this.#workers.set(name, await LeashedProcess.start(process.execPath, args, options));
    return name;
  }

  async #away(end: () => Promise<void>): Promise<void> {
    await end();
    await pause(FAULT_MS);
    await this.server.start();
  }

  async #outOfMemory(): Promise<void> {
    const limit = (bytes: string): Promise<unknown> =>
      this.room.withRedis((client) => client.config('SET', 'maxmemory', bytes));
    await limit('1');
    await pause(FAULT_MS);
    await limit('0');
  }

  async #killConnections(): Promise<void> {
    const killed = await this.room.withRedis((client) =>
      client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    );
    if (Number(killed) < 3 * this.workers.length) throw new Error(`only ${String(killed)} connections were killed`);
  }

  async #cut(): Promise<void> {
    this.proxy.refuse();
    this.proxy.cut();
    await pause(FAULT_MS);
    await this.proxy.accept();
  }

  async #silence(): Promise<void> {
    this.proxy.freeze();
    this.#silent = true;
    // Longer than calls wait.
    await pause(FAULT_MS + CHAOS_OPTIONS.commandTimeout);
    this.#silent = false;
    this.proxy.thaw();
  }

  /** Keeps the process from renewing its locks, and lets it go on. */
  async #freeze(name: string): Promise<void> {
    await this.#catch(name);
    await pause(FREEZE_MS);
    this.#signal(name, 'SIGCONT');
  }

  async #kill(name: string): Promise<void> {
    await this.#catch(name);
    await this.#workers.get(name)?.kill();
    this.#workers.delete(name);
  }

  async #replace(): Promise<void> {
    await this.#hire();
    await this.#working(Date.now(), START_MS);
  }

  /** Waits until every worker has begun a task after `since`. */
  async #working(since: number, ms = RETURN_MS): Promise<void> {
    const began = (name: string): boolean =>
      lastLines(this.folder, name).some(([event, , at]) => event === 'began' && Number(at) > since);
    for (const name of this.workers) await eventually(() => began(name), `${name} works again`, ms);
  }

  /** Stops a worker in the middle of a task. */
  async #catch(name: string): Promise<void> {
    const deadline = Date.now() + CATCH_MS;
    for (;;) {
      this.#signal(name, 'SIGSTOP');
      // The signal takes effect when the process is scheduled.
      await pause(5);
      const lines = lastLines(this.folder, name);
      const ended = new Set(lines.filter(([event]) => event === 'ended').map(([, id]) => id));
      if (lines.some(([event, id]) => event === 'began' && !ended.has(id))) return;
      this.#signal(name, 'SIGCONT');
      if (Date.now() > deadline) throw new Error(`${name} was not found at work within ${CATCH_MS} ms`);
      await pause(25);
    }
  }

  #signal(name: string, signal: NodeJS.Signals): void {
    const worker = this.#workers.get(name);
    if (worker === undefined || worker.ended) throw new Error(`there is no ${name}`);
    process.kill(worker.pid, signal);
  }
}
