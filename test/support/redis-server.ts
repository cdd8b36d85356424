import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { LeashedProcess } from './leashed-process.js';
import { freePort } from './mlflow-server.js';
import { probeRedis } from './redis-probe.js';
import { untilReady } from './tcp-ready.js';

const START_DEADLINE = 60_000;
const STOP_DEADLINE = 60_000;

/** How a server is made. */
export interface RedisServerOptions {
  /** Default: any that is free. */
  port?: number;
  /** That clients have to give. Default: none. */
  password?: string;
  /** More of the command line. */
  args?: readonly string[];
}

/**
 * A Redis server of its own on a temporary folder, on 127.0.0.1 only, which forgets nothing and evicts nothing. What is
 * stored survives {@link stop}, {@link kill} and {@link start}, at the same port. It ends with this process.
 */
export class RedisServer {
  #process: LeashedProcess | undefined;

  private constructor(
    /** A temporary folder, removed by {@link remove}. */
    readonly folder: string,
    readonly port: number,
    private readonly password: string,
    private readonly args: readonly string[],
  ) {}

  /** Whether Redis is installed on this machine. */
  static get isInstalled(): boolean {
    const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)];
    return folders.some((folder) => existsSync(join(folder, 'redis-server')));
  }

  /** Starts one on a new folder. */
  static async create({ port, password = '', args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-redis-'));
    const server = new RedisServer(folder, port ?? (await freePort()), password, args);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** Where it answers, with the password. */
  get url(): string {
    const login = this.password === '' ? '' : `:${encodeURIComponent(this.password)}@`;
    return `redis://${login}127.0.0.1:${this.port}`;
  }

  /** Starts it on what is stored; resolves when it answers. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const output = join(this.folder, 'output.log');
    const args = [
      ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--daemonize', 'no'],
      ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
      ...(this.password === '' ? [] : ['--requirepass', this.password]),
      ...this.args,
    ];
    const options = { env: process.env, cwd: this.folder, output, litter: this.folder };
    const server = await LeashedProcess.start('redis-server', args, options);
    this.#process = server;
    const problem = async (): Promise<string | undefined> => {
      if (server.ended) throw new Error('Redis ended while it started');
      return probeRedis(this.url);
    };
    try {
      await untilReady('Redis', problem, START_DEADLINE);
    } catch (error) {
      await this.kill();
      const log = await readFile(output, 'utf8').catch(() => '');
      throw new Error(`${String(error)}\n${log.slice(-2_000)}`, { cause: error });
    }
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    await server?.stop(STOP_DEADLINE);
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    await server?.kill();
  }

  /** {@link stop} and {@link start}. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Kills it and deletes the folder. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
