import { HubError } from '../../../../core/errors.js';
import type { DatasetInput, FinalRunStatus } from '../../../mlops.types.js';
import type { CheckedBatch } from '../../../mlops.validation.js';
import { MAX_RETRY_AFTER } from '../client/mlflow.retry.js';

/** All that the write buffer knows of the server. Each method is one request and rejects with a HubError. */
export interface RunWriter {
  /** Stores a batch that is within the limits of one request. */
  logBatch(runId: string, batch: CheckedBatch): Promise<void>;
  logInputs(runId: string, datasets: readonly DatasetInput[]): Promise<void>;
  /** @param endTime ms since 1970 */
  endRun(runId: string, status: FinalRunStatus, endTime: number): Promise<void>;
}

/** Statuses by which a server puts a request off, whoever made it. */
const PUT_OFF = new Set<unknown>([408, 429, 503, 504]);

/**
 * Whether an error says that the server is away, so that the write has to wait for it: no answer, or one that MLflow did
 * not give, such as the 404 of a proxy whose server is away. Refused credentials are none: their caller is told.
 */
export function isOutage(error: unknown): boolean {
  if (HubError.is(error, 'UNAVAILABLE', 'TIMEOUT')) return true;
  return isForeign(error) && !HubError.is(error, 'UNAUTHORIZED');
}

/**
 * Whether a write that was acknowledged has to wait after this error: an outage, credentials that the server does not
 * take at the moment, or a connection that was closed. Nothing of it is the write's own fault.
 */
export function isPassing(error: unknown): boolean {
  return isOutage(error) || HubError.is(error, 'UNAUTHORIZED', 'ABORTED', 'CLOSED');
}

/** Whether MLflow itself failed at the request, without putting it off: what was written may be the reason. */
export function isServerFault(error: unknown): boolean {
  if (!HubError.is(error, 'UNAVAILABLE') || error.details['errorCode'] === undefined) return false;
  return !PUT_OFF.has(error.details['status']);
}

/** Whether somebody answered at all: then one run may be the only one that fails. */
export function isAnswer(error: unknown): boolean {
  return HubError.is(error) && (error.code === 'UNAUTHORIZED' || error.details['status'] !== undefined);
}

/** When the server wants to be asked again, in ms from now; 0 when it does not say. At most 60 s. */
export function retryAfterOf(error: unknown): number {
  const wait = HubError.is(error) ? error.details['retryAfter'] : undefined;
  return typeof wait === 'number' && wait > 0 ? Math.min(wait, MAX_RETRY_AFTER) : 0;
}

/** Whether an answer came, but not from MLflow's API. A 413 is the write's fault, whoever says it. */
function isForeign(error: unknown): boolean {
  if (!HubError.is(error)) return false;
  const { status, errorCode } = error.details;
  return status !== undefined && errorCode === undefined && status !== 413;
}
