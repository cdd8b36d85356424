import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { errorMessage, HubError, type HubErrorOptions } from '../core/errors.js';
import { readPem } from '../core/pem.js';
import type { RedisOptions } from './redis.options.js';

/** Whether connections are secured. */
export function isSecure({ tls = {}, url }: Pick<RedisOptions, 'tls' | 'url'>): boolean {
  const { enabled, ...rest } = tls;
  return enabled ?? (url === undefined ? Object.keys(rest).length > 0 : url.startsWith('rediss:'));
}

/** What Node's TLS is told. Throws `CONFIG_INVALID` for a file that cannot be read, and for what does not fit together. */
export function tlsOptions(
  options: Pick<RedisOptions, 'tls' | 'url'>,
  source: HubErrorOptions,
): { tls?: ConnectionOptions } {
  if (!isSecure(options)) return {};
  const { enabled: _enabled, ca, cert, key, ...rest } = options.tls ?? {};
  const tls = {
    ...rest,
    ...(ca === undefined ? {} : { ca: readPem(ca, 'tls.ca', source) }),
    ...(cert === undefined ? {} : { cert: readPem(cert, 'tls.cert', source) }),
    ...(key === undefined ? {} : { key: readPem(key, 'tls.key', source) }),
  };
  try {
    // Otherwise it fails with the first connection, in words about the server.
    createSecureContext(tls);
  } catch (error) {
    const reason = errorMessage(error).replace(/^error:[0-9A-F]+:/, '');
    const text = `tls.ca, tls.cert, tls.key and tls.passphrase cannot be used as they are: ${reason}.`;
    throw new HubError('CONFIG_INVALID', text, { ...source, cause: error });
  }
  return { tls };
}

/** The error of a server that accepted the connection and then did not go on with it, with what that may mean. */
export function withTlsHint(
  error: HubError,
  options: Pick<RedisOptions, 'tls' | 'url'>,
  source: HubErrorOptions,
): HubError {
  if (error.code !== 'UNAVAILABLE' || !/ECONNRESET|EPIPE|no connection|did not answer/.test(error.message))
    return error;
  const hint = isSecure(options)
    ? 'If it wants a certificate of its clients, give tls.cert and tls.key; if it speaks no TLS there, use redis://.'
    : 'If it speaks TLS there, use rediss://.';
  const text = error.message.replace(/^\[[^\]]*\] /, '').replace(/\.?$/, '.');
  return new HubError(error.code, `${text} ${hint}`, { ...source, cause: error.cause });
}
