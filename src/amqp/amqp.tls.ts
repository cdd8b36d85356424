import { isIP } from 'node:net';
import { connect, createSecureContext } from 'node:tls';
import type { SocketOptions } from 'amqplib';
import { errorMessage, HubError, type HubErrorOptions } from '../core/errors.js';
import { readPem } from '../core/pem.js';
import type { AmqpTlsOptions } from './amqp.options.js';

/** What Node's TLS is told. Throws `CONFIG_INVALID` for a file that cannot be read, and for what does not fit together. */
export function tlsSocketOptions(tls: AmqpTlsOptions, source: HubErrorOptions): SocketOptions {
  const { passphrase, servername, rejectUnauthorized } = tls;
  const files = {
    ...(tls.ca === undefined ? {} : { ca: readPem(tls.ca, 'tls.ca', source) }),
    ...(tls.cert === undefined ? {} : { cert: readPem(tls.cert, 'tls.cert', source) }),
    ...(tls.key === undefined ? {} : { key: readPem(tls.key, 'tls.key', source) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  try {
    // Otherwise it fails with the first connection, in words about the broker.
    createSecureContext(files);
  } catch (error) {
    const reason = errorMessage(error).replace(/^error:[0-9A-F]+:/, '');
    const text = `tls.ca, tls.cert, tls.key and tls.passphrase cannot be used as they are: ${reason}.`;
    throw new HubError('CONFIG_INVALID', text, { ...source, cause: error });
  }
  return {
    ...files,
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

/** Whether a TLS handshake succeeds at an address; `false` when there is no answer within `ms`. */
export function speaksTls(host: string, port: number, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent or trusted: it is only to tell which protocol is spoken there.
    const socket = connect({ host, port, rejectUnauthorized: false, ...(isIP(host) ? {} : { servername: host }) });
    const end = (found: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const timer = setTimeout(() => end(false), ms);
    socket.once('secureConnect', () => end(true));
    socket.on('error', () => end(false));
  });
}
