import { rootCertificates } from 'node:tls';
import { readPem } from '../../../../core/pem.js';
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
  const cert = tls.cert === undefined ? undefined : readPem(tls.cert, 'tls.cert', MLFLOW_SOURCE);
  const key = tls.key === undefined ? cert : readPem(tls.key, 'tls.key', MLFLOW_SOURCE);
  return {
    ...(tls.ca === undefined ? {} : { ca: readPem(tls.ca, 'tls.ca', MLFLOW_SOURCE) }),
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
  return tls.ca === undefined ? {} : { ca: [...rootCertificates, readPem(tls.ca, 'tls.ca', MLFLOW_SOURCE)] };
}
