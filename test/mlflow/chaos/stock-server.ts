import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, MLflowServer } from '../../support/mlflow-server.js';
import { ServerView } from './server-view.js';

/** A stock MLflow server that can be killed and comes back at the same address with the same store. */
export class StockServer {
  /** Reads it beside the driver. */
  readonly view: ServerView;
  #server: MLflowServer | undefined;

  private constructor(
    private readonly python: string,
    /** A temporary folder, removed by {@link remove}. */
    readonly folder: string,
    readonly port: number,
  ) {
    this.view = new ServerView(this.url);
  }

  /** Starts one on a new folder. */
  static async create(python: string): Promise<StockServer> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-chaos-'));
    const server = new StockServer(python, folder, await freePort());
    await server.start();
    return server;
  }

  /** Where it answers when it is there. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it on what is stored. */
  async start(): Promise<void> {
    this.#server = await MLflowServer.start(this.python, this.folder, { port: this.port });
  }

  /** Deletes a run, as somebody does on MLflow's pages. */
  async deleteRun(runId: string): Promise<void> {
    await this.#server?.call('POST', 'runs/delete', { run_id: runId });
  }

  /** `kill -9`, its workers included. */
  async kill(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Kills it and removes its folder. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
