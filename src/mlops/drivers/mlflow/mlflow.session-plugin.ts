import { HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { Redactor } from '../../../core/redact.js';
import { validateOptions } from '../../../core/validate.js';
import { StoreLogger } from '../../../embedded/store-logger.js';
import { MLOpsPlugin } from '../../mlops.plugin.js';
import type { MLOpsSupports } from '../../mlops.types.js';
import type { MLflowClient } from './client/mlflow.client.js';
import { reasonOf } from './mlflow.away.js';
import { mlflowSchema, type MLflowOptions, type MLflowPluginOptions } from './mlflow.options.js';
import { MLflowSession } from './mlflow.session.js';

/** How long a shutdown tries to send what is buffered before it goes to the spool, in ms. */
const DRAIN_DEADLINE = 10_000;

/** The life of the driver `mlops/mlflow`, and how its methods call the server. */
export abstract class MLflowSessionPlugin extends MLOpsPlugin {
  override readonly driver = 'mlflow';
  readonly #logger = new StoreLogger('MLflow');
  #options: MLflowOptions;
  #session: MLflowSession | undefined;

  /** Without a spool, too, what was acknowledged is on the server. */
  override get supports(): MLOpsSupports {
    // Asked before the server is known, it speaks for MLflow 3.
    return { trackingUri: true, durable: true, experimentTagDeletion: this.#session?.isMLflow2 !== true };
  }

  /** @param options what is left out gets its default; `CONFIG_INVALID` for a wrong value */
  constructor(options: MLflowPluginOptions = {}) {
    super();
    this.#options = validateOptions(mlflowSchema, options, { what: 'config', ...this.source() });
  }

  /** @internal */
  override hideSecrets(redactor: Redactor): void {
    super.hideSecrets(redactor);
    this.#logger.hide(redactor);
  }

  override setTrackingUri(uri: string): void {
    if (this.phase !== 'new') {
      throw this.unsupported('setTrackingUri', 'the driver is in use already. Set mlflow_uri in the configuration.');
    }
    const options = { ...this.#options, mlflowUri: uri };
    this.#options = validateOptions(mlflowSchema, options, { what: 'config', ...this.source('setTrackingUri') });
  }

  protected override async onInitialize(): Promise<void> {
    this.#session = await MLflowSession.open(this.#options, this.#logger);
  }

  protected override async onDrain(): Promise<void> {
    await this.#session?.drain(DRAIN_DEADLINE);
  }

  protected override async onShutdown(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  protected override onHealthCheck(signal: AbortSignal): Promise<JsonObject> {
    return this.open('healthCheck').health(signal);
  }

  /** What is open; `CLOSED` otherwise. */
  protected open(operation: string): MLflowSession {
    this.ensureOpen(operation);
    if (this.#session === undefined) throw this.error('CLOSED', operation, 'the plugin has been shut down.');
    return this.#session;
  }

  /** Runs a method's body at once, so that writes keep the order of their calls, and names the method in its errors. */
  protected async call<T>(operation: string, work: (session: MLflowSession) => Promise<T>): Promise<T> {
    const session = this.open(operation);
    try {
      return await work(session);
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  /** {@link call} once the run's earlier writes are on the server. */
  protected settled<T>(operation: string, runId: string, work: (client: MLflowClient) => Promise<T>): Promise<T> {
    return this.call(operation, async ({ client, writes }) => {
      await writes.settle(runId);
      return work(client);
    });
  }

  /** {@link call} once earlier artifact operations on `path` have ended. */
  protected after<T>(
    operation: string,
    runId: string,
    path: string,
    work: (client: MLflowClient) => Promise<T>,
  ): Promise<T> {
    return this.call(operation, async ({ client, inFlight }) => {
      await inFlight.before(runId, path);
      return work(client);
    });
  }

  /** {@link call} with an artifact operation, for which later ones on `path` and the end of the run wait. */
  protected tracked(
    operation: string,
    runId: string,
    path: string,
    work: (client: MLflowClient) => Promise<void>,
  ): Promise<void> {
    return this.call(operation, ({ client, inFlight }) =>
      inFlight.track(runId, path, async (earlier) => {
        await earlier;
        await work(client);
      }),
    );
  }

  /** @param settle the run, or all, whose writes have to be on the server before the first item */
  protected async *iterate<T>(
    operation: string,
    start: (session: MLflowSession) => AsyncIterable<T>,
    settle: string | boolean = false,
  ): AsyncGenerator<T> {
    const session = this.open(operation);
    try {
      // Not `flush`: a write to one run that was refused meanwhile is no reason not to read the others.
      if (settle !== false) await session.writes.settle(settle === true ? undefined : settle);
      for await (const item of start(session)) {
        yield item;
        this.open(operation);
      }
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  #named(operation: string, error: unknown): HubError {
    if (this.phase === 'closed')
      return this.error('CLOSED', operation, 'the plugin has been shut down.', { cause: error });
    if (!HubError.is(error)) {
      const reason = error instanceof Error ? error.message : String(error);
      return this.error('INTERNAL', operation, reason, { cause: error });
    }
    if (error.operation !== undefined) return error;
    return this.error(error.code, operation, reasonOf(error), { cause: error.cause, details: error.details });
  }
}
