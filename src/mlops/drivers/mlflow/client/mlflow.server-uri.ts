import { HubError } from '../../../../core/errors.js';
import type { QueryValue } from './mlflow.transport.types.js';

/** The parts of a server's address. */
export interface ServerUri {
  /** Scheme, host and port, e.g. `https://mlflow.example:8443`. */
  readonly origin: string;
  /** Path before every request's own, without a slash at its end, e.g. `/mlflow`; empty for none. */
  readonly prefix: string;
  /** The address for people: origin and prefix, never with credentials. */
  readonly display: string;
  /** User and password that stood in the address, decoded. */
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** What is wrong with `uri` as the address of an MLflow server, or `undefined`. Never quotes it: it may hold a password. */
export function serverUriFault(uri: string): string | undefined {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) return 'has to be the URL of an MLflow server, e.g. http://127.0.0.1:5000';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return 'has to begin with http:// or https://: this driver speaks to an MLflow server, not to a store or a file';
  }
  if (url.search !== '' || url.hash !== '') return 'has to end before "?" and "#"';
  return undefined;
}

/** Takes an address apart. Throws `CONFIG_INVALID` for what {@link serverUriFault} finds. */
export function parseServerUri(uri: string): ServerUri {
  const fault = serverUriFault(uri);
  if (fault !== undefined) throw new HubError('CONFIG_INVALID', `the address of the MLflow server ${fault}.`);
  const url = new URL(uri);
  const prefix = url.pathname.replace(/\/+$/, '');
  const parts = { origin: url.origin, prefix, display: url.origin + prefix };
  if (url.username === '' && url.password === '') return parts;
  return { ...parts, credentials: { username: decode(url.username), password: decode(url.password) } };
}

/**
 * Whether requests to the address `other` can go over a connection to `uri`: scheme, host, port and path are the same, and
 * it names no other credentials. Throws `CONFIG_INVALID` for what {@link serverUriFault} finds.
 */
export function isSameServer(uri: string, other: string): boolean {
  const [first, second] = [parseServerUri(uri), parseServerUri(other)];
  if (first.display !== second.display) return false;
  const { credentials: own } = first;
  const { credentials: named = own } = second;
  return named?.username === own?.username && named?.password === own?.password;
}

/** Path and query of a request. Throws `INVALID_ARGUMENT` for a path that would lead elsewhere. */
export function requestTarget(prefix: string, path: string, query: Readonly<Record<string, QueryValue>> = {}): string {
  // Servers and proxies resolve dot segments, so they would leave the prefix.
  if (!path.startsWith('/') || /[?#\s\\]|(^|\/)(\.|%2e){1,2}(\/|$)/i.test(path)) {
    throw new HubError('INVALID_ARGUMENT', `${JSON.stringify(path)} is no percent-encoded absolute path.`);
  }
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    // `true` and `false` are how protobuf's JSON spells booleans; MLflow reads a list as a repeated parameter.
    for (const item of typeof value === 'object' ? value : [String(value)]) params.append(key, item);
  }
  return params.size === 0 ? prefix + path : `${prefix}${path}?${params.toString()}`;
}

/** An absolute URL of another server, e.g. a presigned one. Throws `INVALID_ARGUMENT` unless it is http or https. */
export function parseForeignUrl(foreignUrl: string): { origin: string; target: string; display: string } {
  const url = URL.canParse(foreignUrl) ? new URL(foreignUrl) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new HubError('INVALID_ARGUMENT', 'the URL to send the bytes to is neither http:// nor https://.');
  }
  // The query of a presigned URL is a credential: it is sent, and never shown.
  return { origin: url.origin, target: url.pathname + url.search, display: url.origin };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A raw `%` in a password that nobody encoded.
    return text;
  }
}
