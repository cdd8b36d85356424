import { errorMessage, HubError } from '../../../core/errors.js';

/** Code of a host name that nobody has, and name of undici's error for an answer that is no HTTP. */
const WRONG_ADDRESS: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'HTTPParserError']);

/** Whether a failed probe of a server that was there says that it is away, and not that it refuses us. */
export function isAway(error: unknown): boolean {
  return HubError.is(error, 'UNAVAILABLE', 'TIMEOUT') && error.details['status'] !== 403;
}

/**
 * Whether a failed probe of a server that never answered so far says that it may come by waiting. Stricter than
 * {@link isAway}, so that a wrong address shows at the start: a host without a name, another protocol, TLS that fails, and
 * a success that is not MLflow's are no outages.
 */
export function mayCome(error: unknown): boolean {
  if (!isAway(error) || !HubError.is(error) || error.details['transient'] !== true) return false;
  const { status } = error.details;
  if (typeof status === 'number' && status < 300) return false;
  const { code, name } = (error.cause ?? {}) as { code?: unknown; name?: unknown };
  return !WRONG_ADDRESS.has(code) && !WRONG_ADDRESS.has(name);
}

/** The message of an error of this driver without the driver's name, for a sentence around it. */
export function reasonOf(error: unknown): string {
  return errorMessage(error).replace(/^\[mlops\/mlflow\] /, '');
}
