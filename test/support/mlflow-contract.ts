import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContractHarness } from '../../src/core/contract.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import { MLflowContractServer } from './mlflow-contract-server.js';
import { mlflowPlugin } from './open-mlflow.js';
import { PostgresDatabase } from './postgres-database.js';

/** A kind of MLflow server that the contract runs on. */
export class MLflowContractTarget {
  #server?: MLflowContractServer;
  #database?: PostgresDatabase;
  readonly #spools = new WeakMap<MLOpsPlugin, string>();

  /**
   * @param label what is unlike the other targets, e.g. `newest MLflow on SQLite`
   * @param pythonEnv environment variable with the interpreter that has this MLflow
   * @param postgresEnv environment variable with the PostgreSQL server for its database; default is SQLite
   */
  constructor(
    private readonly label: string,
    private readonly pythonEnv: string,
    private readonly postgresEnv?: string,
  ) {
    if (this.isMissing && process.env['HUB_TEST_SERVICES'] === 'all') {
      throw new Error(`HUB_TEST_SERVICES=all needs ${this.#missing.join(' and ')}: npm test brings them up.`);
    }
  }

  /** Whether a service that it needs is not there. */
  get isMissing(): boolean {
    return this.#missing.length > 0;
  }

  /** The label, and why the target is skipped when it is. */
  get name(): string {
    return this.isMissing ? `${this.label} (skipped: ${this.#missing.join(' and ')} not set)` : this.label;
  }

  /** Starts the server; takes many seconds, since MLflow creates its tables. */
  async start(): Promise<void> {
    const python = process.env[this.pythonEnv] ?? '';
    if (this.postgresEnv !== undefined) {
      this.#database = await PostgresDatabase.create(python, process.env[this.postgresEnv] ?? '');
    }
    this.#server = await MLflowContractServer.start(python, this.#database?.sqlAlchemyUri);
  }

  /** Stops the server and removes what it wrote. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.#database?.drop();
  }

  /** Plugins on the started server: each test has an empty database and a new spool folder. */
  get harness(): Required<ContractHarness<MLOpsPlugin>> {
    return {
      create: async () => {
        await this.#server?.empty();
        return this.#open(await mkdtemp(join(tmpdir(), 'hub-mlflow-spool-')));
      },
      reopen: async (plugin) => this.#open(this.#spools.get(plugin) ?? ''),
      cleanup: async (plugin) => rm(this.#spools.get(plugin) ?? '', { recursive: true, force: true }),
    };
  }

  get #missing(): string[] {
    const needed = [this.pythonEnv, ...(this.postgresEnv === undefined ? [] : [this.postgresEnv])];
    return needed.filter((name) => !process.env[name]);
  }

  #open(spool: string): MLOpsPlugin {
    const plugin = mlflowPlugin({ mlflowUri: this.#server?.server.url ?? '', spool: { dir: spool } });
    this.#spools.set(plugin, spool);
    return plugin;
  }
}

/** The servers that the driver has to work with. */
export const mlflowTargets: readonly MLflowContractTarget[] = [
  new MLflowContractTarget('newest MLflow on SQLite', 'HUB_TEST_PYTHON'),
  new MLflowContractTarget('newest MLflow on PostgreSQL', 'HUB_TEST_PYTHON', 'HUB_TEST_POSTGRES'),
  new MLflowContractTarget('newest MLflow 2 on SQLite', 'HUB_TEST_PYTHON_MLFLOW2'),
];
