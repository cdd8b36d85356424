import { errorMessage, HubError, type HubErrorCode, type HubErrorOptions } from '../core/errors.js';

/**
 * A HubError for what ioredis, Redis or a library on top of them threw; a HubError is passed on as it is. Wrong credentials are
 * `UNAUTHORIZED`, a command without an answer `TIMEOUT`, a server that is away, loading, read-only or out of memory
 * `UNAVAILABLE`, the rest `INTERNAL`.
 */
export function redisError(error: unknown, source: HubErrorOptions): HubError {
  if (HubError.is(error)) return error;
  const text = faultText(error);
  return new HubError(codeOf(text), text, { ...source, cause: error });
}

/** What an error of Redis says, with a hint of what to do about it. */
export function faultText(error: unknown): string {
  // A host name with several addresses: Node tries them all and its own message is empty.
  if (error instanceof AggregateError && error.errors.length > 0) return faultText(error.errors.at(-1));
  const message = errorMessage(error);
  if (/\bOOM\b/.test(message)) return `Redis is out of memory (maxmemory) and takes nothing more: ${message}`;
  if (/enableOfflineQueue|max retries per request|Connection is closed/i.test(message)) {
    return 'there is no connection to Redis at the moment.';
  }
  if (message === 'Command timed out')
    return 'Redis did not answer within commandTimeout. What was sent may be stored.';
  return message;
}

function codeOf(text: string): HubErrorCode {
  if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid password|invalid username/i.test(text)) return 'UNAUTHORIZED';
  if (/commandTimeout/.test(text)) return 'TIMEOUT';
  const away =
    /^Redis is out|no connection|^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|MISCONF|NOREPLICAS|UNKILLABLE)\b/;
  if (away.test(text) || /\b(E[A-Z]{3,}|socket|sentinel|slots cache|connect)/i.test(text)) return 'UNAVAILABLE';
  return 'INTERNAL';
}

/** `UNAVAILABLE` for a call while the connection is lost. */
export function disconnected(fault: string | undefined, source: HubErrorOptions): HubError {
  const reason = fault === undefined ? '' : ` (${fault})`;
  return new HubError('UNAVAILABLE', `there is no connection to Redis at the moment${reason}.`, source);
}
