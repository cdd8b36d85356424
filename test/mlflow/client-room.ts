import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpTransport, MLflowClient } from '../../src/mlops/drivers/mlflow/client/index.js';
import { resolveClientOptions } from '../../src/mlops/drivers/mlflow/client/mlflow.resolve-options.js';
import type { Run } from '../../src/mlops/mlops.types.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { LosingTransport } from './losing-transport.js';

/** How long the server may take to start, in ms. */
export const START = 240_000;
/** An id that no server gives. */
export const UNKNOWN = 'f'.repeat(32);

let serial = 0;

/** A name that nothing else in the room has. */
export const fresh = (what: string): string => `${what} ${(serial += 1)}`;

/** A run in an experiment of its own. */
export async function newRun(client: MLflowClient): Promise<Run> {
  return client.runs.create(await client.experiments.create(fresh('e')));
}

/** A real MLflow server of a suite's own, for tests of the client. */
export class ClientRoom {
  private constructor(
    private readonly folder: string,
    private readonly server: MLflowServer,
  ) {}

  /** Starts the server. */
  static async open(python: string): Promise<ClientRoom> {
    const folder = await mkdtemp(join(tmpdir(), 'mlflow-client-'));
    const args = ['--default-artifact-root', 'mlflow-artifacts:/'];
    return new ClientRoom(folder, await MLflowServer.start(python, folder, { args }));
  }

  /** A new connection. */
  connect(): LosingTransport {
    const { mlflowUri: uri, ...options } = resolveClientOptions({ mlflowUri: this.server.url }, {});
    return new LosingTransport(new HttpTransport({ ...options, uri }));
  }

  /** Stops the server and removes its folder. */
  async close(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
