import { errorMessage, HubError, type HubErrorCode, type HubErrorOptions } from '../core/errors.js';

/** Codes of Node for a certificate that is not trusted, or for another host. */
const CERTIFICATE = /^(CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;
/** The server did not take our certificate, or our version of TLS. */
const TLS_ALERT = /^ERR_SSL_\w*ALERT/;
/** The other side does not speak TLS, or none of ours. */
const NO_TLS = /^(EPROTO|ERR_SSL_|ERR_OSSL_)/;

/**
 * A HubError for what ioredis, Redis or a library on top of them threw; a HubError is passed on as it is. Wrong credentials are
 * `UNAUTHORIZED`, a certificate that is not trusted or the lack of TLS on one side `CONFIG_INVALID`, a command without an answer `TIMEOUT`, a server that is away, loading, read-only or out of memory
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
  return tlsText(error, message) ?? message;
}

/** What a failed handshake means, by Node's code. */
function tlsText(error: unknown, message: string): string | undefined {
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (typeof code !== 'string') return undefined;
  // OpenSSL's own message has its file names in it.
  const text = typeof reason === 'string' && code.startsWith('ERR_SSL') ? reason : message;
  if (CERTIFICATE.test(code)) return `${text}. Give the authority that signed it as tls.ca.`;
  if (TLS_ALERT.test(code)) return `Redis refused the TLS handshake (${text}). Look at tls.cert and tls.key.`;
  if (!NO_TLS.test(code)) return undefined;
  return `Redis does not speak TLS there (${text}). Use its TLS port, or redis:// without TLS.`;
}

function codeOf(text: string): HubErrorCode {
  if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid password|invalid username/i.test(text)) return 'UNAUTHORIZED';
  if (/ (as tls\.ca|TLS handshake|speak TLS there)\b/.test(text)) return 'CONFIG_INVALID';
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
