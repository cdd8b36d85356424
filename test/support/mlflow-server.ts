import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** How long a server may take to answer, in ms: the first import of MLflow on a busy machine is slow. */
const START_DEADLINE = 180_000;
/** How long one request may take, in ms. */
const REQUEST_DEADLINE = 60_000;

/** How a server is started. */
export interface MLflowServerOptions {
  /** The database, as SQLAlchemy names it. Default: `mlflow.db` in the folder. */
  backendStoreUri?: string;
  /** Default: any that is free. */
  port?: number;
  /** More of the command line. */
  args?: readonly string[];
  /** More of the environment. */
  env?: Readonly<Record<string, string>>;
}

/** A stock MLflow server on a folder: the database `mlflow.db` and the artifacts below `served`, unless told otherwise. */
export class MLflowServer {
  #log = '';

  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
  }

  /** Starts it; it opens the database, and upgrades it in place, while this is awaited. */
  static async start(python: string, folder: string, options: MLflowServerOptions = {}): Promise<MLflowServer> {
    const port = options.port ?? (await freePort());
    const args = [
      ...['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
      ...['--backend-store-uri', options.backendStoreUri ?? `sqlite:///${join(folder, 'mlflow.db')}`],
      ...['--artifacts-destination', join(folder, 'served')],
      ...(options.args ?? []),
    ];
    const child = spawn(python, args, {
      cwd: folder,
      // A group of its own: the server starts workers, which have to go with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        MLFLOW_DISABLE_TELEMETRY: 'true',
        DO_NOT_TRACK: 'true',
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        ...options.env,
      },
    });
    const server = new MLflowServer(child, port);
    try {
      await server.#ready();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Where it answers. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Everything that it printed. */
  get log(): string {
    return this.#log;
  }

  /** MLflow's version. */
  async version(): Promise<string> {
    const signal = AbortSignal.timeout(REQUEST_DEADLINE);
    return (await fetch(`http://127.0.0.1:${this.port}/version`, { signal })).text();
  }

  /** Calls the API that MLflow's web pages use. Rejects unless the answer is 200. */
  async call<T>(method: 'GET' | 'POST', path: string, input: Record<string, unknown> = {}): Promise<T> {
    const url = new URL(`http://127.0.0.1:${this.port}/ajax-api/2.0/mlflow/${path}`);
    if (method === 'GET') for (const [key, value] of Object.entries(input)) url.searchParams.set(key, String(value));
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'POST' ? { body: JSON.stringify(input) } : {}),
      signal: AbortSignal.timeout(REQUEST_DEADLINE),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${method} ${url.pathname}: ${response.status} ${text}\n${this.#log}`);
    return JSON.parse(text) as T;
  }

  /** Kills it with its workers; resolves when they are gone and the port is free. */
  async stop(): Promise<void> {
    const { process: child } = this;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      process.kill(-child.pid, 'SIGKILL');
      await exited;
    }
    for (let tries = 0; !(await isFree(this.port)); tries += 1) {
      if (tries === 100) throw new Error(`port ${this.port} is still in use after the server was killed`);
      await setTimeout(50);
    }
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(5_000) }).catch(
        () => undefined,
      );
      if (answer?.status === 200) return;
      const { exitCode, signalCode } = this.process;
      if (exitCode !== null || signalCode !== null) throw new Error(`mlflow server ended:\n${this.#log}`);
      if (Date.now() > deadline) throw new Error(`mlflow server did not start in ${START_DEADLINE} ms:\n${this.#log}`);
      await setTimeout(200);
    }
  }
}

/** A TCP port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
