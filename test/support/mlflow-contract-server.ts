import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MLflowServer } from './mlflow-server.js';

const SCRIPT = fileURLToPath(new URL('../mlflow/empty_store.py', import.meta.url));
/** How long the database may take to be emptied, in ms. */
const DEADLINE = 30_000;

/** A real MLflow server whose database is emptied for each test, since a start takes many seconds. */
export class MLflowContractServer {
  private constructor(
    readonly server: MLflowServer,
    private readonly emptier: ChildProcess,
    private readonly answers: Interface,
    private readonly folder: string,
  ) {}

  /**
   * Starts it.
   * @param backendStoreUri the database, default SQLite in a temporary folder
   */
  static async start(python: string, backendStoreUri?: string): Promise<MLflowContractServer> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-mlflow-contract-'));
    const uri = backendStoreUri ?? `sqlite:///${join(folder, 'mlflow.db')}`;
    const server = await MLflowServer.start(python, folder, { backendStoreUri: uri });
    const emptier = spawn(python, [SCRIPT, uri], { stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: emptier.stdout });
    return new MLflowContractServer(server, emptier, answers, folder);
  }

  /** Empties the database. */
  async empty(): Promise<void> {
    const answer = once(this.answers, 'line', { signal: AbortSignal.timeout(DEADLINE) });
    this.emptier.stdin?.write('empty\n');
    await answer;
  }

  /** Stops everything and removes the folder. */
  async stop(): Promise<void> {
    this.answers.close();
    this.emptier.kill('SIGKILL');
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
