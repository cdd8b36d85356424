import { setImmediate } from 'node:timers/promises';
import { withDeadline } from '../../../core/deadline.js';
import { errorMessage, HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import { retrySpan } from '../../../core/retry.js';
import type { StoreLogger } from '../../../embedded/store-logger.js';
import { InFlight } from '../../mlops.in-flight.js';
import { RunWriteBuffer, spoolFolder, type BufferStatus, type RunWriter } from './buffer/index.js';
import { MLflowClient } from './client/mlflow.client.js';
import { resolveClientOptions } from './client/mlflow.resolve-options.js';
import { parseServerUri } from './client/mlflow.server-uri.js';
import { isAway, mayCome, reasonOf } from './mlflow.away.js';
import { MLFLOW_SOURCE } from './mlflow.errors.js';
import type { MLflowOptions } from './mlflow.options.js';
import { ServerWatch } from './mlflow.server-watch.js';

/** How long the server may take to answer at the start, in ms. */
const OPEN_DEADLINE = 10_000;
/** How long it may take to answer a health check, in ms: less than what waits for the check itself. */
const PROBE_DEADLINE = 2_000;

/** What is left for the writes when uploads have taken the time of a shutdown, in ms. */
const MIN_DRAIN = 1_000;

/** What is open between `initialize()` and `shutdown()`: the client, the write buffer, and artifacts under way. */
export class MLflowSession {
  readonly inFlight = new InFlight();

  private constructor(
    readonly client: MLflowClient,
    readonly writes: RunWriteBuffer,
    private readonly watch: ServerWatch,
    private readonly spools: boolean,
  ) {}

  /**
   * Connects and asks the server once. One that is away is waited for when writes can be spooled: the session is open and
   * its health degraded. Rejects with `UNAVAILABLE`, also for an address that is wrong, `UNAUTHORIZED` or
   * `CONFIG_INVALID`.
   */
  static async open(options: MLflowOptions, logger: StoreLogger): Promise<MLflowSession> {
    const { buffer, spool, ...clientOptions } = options;
    // Once, so that client and spool cannot differ in what the environment completes.
    const resolved = resolveClientOptions(clientOptions);
    const client = MLflowClient.connect(resolved);
    try {
      const watch = new ServerWatch(client);
      try {
        await watch.ask(OPEN_DEADLINE);
      } catch (error) {
        if (!spool.enabled || !mayCome(error)) throw error;
        logger.warn(awayText(error, parseServerUri(resolved.mlflowUri).display));
      }
      const { dir, maxBytes, durability } = spool;
      const folder = spoolFolder(dir, resolved.mlflowUri, resolved.workspace);
      const writes = await RunWriteBuffer.open(writerOf(client, spool.enabled), {
        ...buffer,
        logger,
        // What waits for spooled writes is as patient as a call that sends its request again.
        patience: Math.min(retrySpan(resolved.retry), resolved.deadline),
        ...(spool.enabled ? { spool: { folder, maxBytes, durability } } : {}),
      });
      return new MLflowSession(client, writes, watch, spool.enabled);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Whether the server has said that it is of version 2; `false` while it has not answered yet. */
  get isMLflow2(): boolean {
    return this.watch.isMLflow2;
  }

  /**
   * Facts of a probe and of the write buffer. While the server is away but writes can be spooled, `degraded` is true: that
   * is less than healthy, and more than down. Rejects with the reason when it is down.
   */
  async health(signal: AbortSignal): Promise<JsonObject> {
    try {
      const facts = await this.watch.ask(PROBE_DEADLINE, signal);
      const writes = this.writes.status();
      return { ...facts, ...complaint(writes), writes: { ...writes } };
    } catch (error) {
      const writes = this.writes.status();
      if (!this.spools || !isAway(error)) throw error;
      if (writes.fault !== undefined) {
        throw new HubError('UNAVAILABLE', `${errorMessage(error)} And the spool takes nothing: ${writes.fault}`, {
          ...MLFLOW_SOURCE,
          cause: error,
        });
      }
      return { degraded: true, message: errorMessage(error), writes: { ...writes } };
    }
  }

  /** Waits at most `deadline` ms for uploads under way and for writes to be sent; the rest is spooled. */
  async drain(deadline: number): Promise<void> {
    const end = Date.now() + deadline;
    await withDeadline(this.inFlight.settled(), deadline).catch(() => undefined);
    // The end of a run waits for its uploads, and reaches the buffer in the next turn.
    await setImmediate();
    await this.writes.drain(Math.max(MIN_DRAIN, end - Date.now()));
  }

  /** Closes everything. What is in memory is spooled. */
  async close(): Promise<void> {
    await this.writes.close();
    await this.client.close();
  }
}

/** What is wrong with the writes although the server answers. */
function complaint({ state, reason, rejected, fault }: BufferStatus): JsonObject {
  if (fault !== undefined) return { degraded: true, message: `the spool takes nothing: ${fault}` };
  if (state === 'away') return { degraded: true, message: `writes are not taken: ${reason ?? 'no reason given'}` };
  if (rejected === 0) return {};
  return { degraded: true, message: `the server refused ${rejected} acknowledged write(s): see rejectedWrites().` };
}

/** With a spool a write waits there, where a failed request costs nobody time; without one it is tried again at once. */
function writerOf({ runs }: MLflowClient, spools: boolean): RunWriter {
  const limits = spools ? { attempts: 1 } : {};
  return {
    logBatch: (runId, batch) => runs.sendBatch(runId, batch, limits),
    logInputs: (runId, datasets) => runs.logInputs(runId, datasets, limits),
    endRun: (runId, status, endTime) => runs.end(runId, status, endTime, limits),
  };
}

function awayText(error: unknown, server: string): string {
  const reason = reasonOf(error);
  return HubError.is(error) && error.details['registry'] === true
    ? `${reason}; models cannot be read or registered until it answers.`
    : `the MLflow server at ${server} does not answer; writes to existing runs are spooled until it does (${reason}).`;
}
