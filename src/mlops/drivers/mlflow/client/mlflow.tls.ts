import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';

/** How the connection is secured. Each of the three texts is PEM, or the path of a file that holds it. */
export interface MLflowTls {
  /** Certificates of the authorities that are trusted, instead of Node's own. */
  ca?: string;
  /** The client's certificate, with the key in the same text or in {@link key}. */
  cert?: string;
  /** The client's private key. Default: the one in {@link cert}. */
  key?: string;
  /** `true`: any certificate of the server is taken, so anybody in between can read and change everything. */
  insecure?: boolean;
}

/** What undici's connector is told. */
export interface TlsConnectOptions {
  ca?: string | string[];
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
}

/** Options for connections to the configured server. Throws `CONFIG_INVALID` for a file that cannot be read. */
export function tlsOptions(tls: MLflowTls = {}): TlsConnectOptions {
  const cert = tls.cert === undefined ? undefined : readPem(tls.cert, 'cert');
  const key = tls.key === undefined ? cert : readPem(tls.key, 'key');
  return {
    ...(tls.ca === undefined ? {} : { ca: readPem(tls.ca, 'ca') }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.insecure === true ? { rejectUnauthorized: false } : {}),
  };
}

/**
 * Options for connections to other servers: no client certificate, never insecure, and the configured authorities beside
 * the public ones, since a store next to the server often shares its private authority.
 */
export function foreignTlsOptions(tls: MLflowTls = {}): TlsConnectOptions {
  return tls.ca === undefined ? {} : { ca: [...rootCertificates, readPem(tls.ca, 'ca')] };
}

function readPem(given: string, key: 'ca' | 'cert' | 'key'): string {
  let pem = given;
  if (!given.includes('-----BEGIN')) {
    try {
      pem = readFileSync(given, 'utf8');
    } catch (error) {
      // Without the text: it may be a key that lost its first line.
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      throw new HubError('CONFIG_INVALID', `tls.${key} is neither PEM nor a readable file (${code}).`, MLFLOW_SOURCE);
    }
  }
  if (pem.includes('-----BEGIN')) return pem;
  throw new HubError('CONFIG_INVALID', `the file of tls.${key} holds no PEM.`, MLFLOW_SOURCE);
}
