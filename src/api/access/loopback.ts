import { isIP } from 'node:net';

/** What the loopback rules look at. */
export interface LoopbackRequest {
  method: string;
  /** Address of the peer. */
  peer: string | undefined;
  headers: Record<string, string | string[] | undefined>;
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/**
 * Why a request may not be served without authentication, or `undefined`:
 * - its peer is not on this machine, or a proxy on this machine passes on somebody else's request;
 * - its `Host` is no loopback name, as after DNS rebinding;
 * - a page of another origin sent it (`Origin`, RFC 6454; `Sec-Fetch-Site`, https://www.w3.org/TR/fetch-metadata/).
 */
export function refusalOf({ method, peer, headers }: LoopbackRequest): string | undefined {
  if (peer === undefined || !isLoopbackAddress(peer)) return 'Only this machine is served without authentication.';
  if (FORWARDED.some((name) => headers[name] !== undefined)) {
    return 'Requests through a proxy are not served without authentication.';
  }
  const host = hostOf(headers['host']);
  if (host === undefined || !isLoopbackName(host.hostname)) {
    return 'The Host header has to name this machine: localhost, 127.0.0.1 or [::1].';
  }
  const origin = headers['origin'];
  if (origin !== undefined && (typeof origin !== 'string' || originHost(origin) !== host.host)) {
    return 'Pages of another origin are not served without authentication.';
  }
  const site = headers['sec-fetch-site'];
  if (!SAFE.has(method) && site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'Pages of another site cannot change anything without authentication.';
  }
  return undefined;
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

function isLoopbackName(hostname: string): boolean {
  const plain = hostname.replaceAll(/^\[|\]$/g, '');
  return plain === 'localhost' || isLoopbackAddress(plain);
}

function hostOf(header: string | string[] | undefined): URL | undefined {
  if (typeof header !== 'string' || !/^[A-Za-z0-9.:[\]-]+$/.test(header)) return undefined;
  return URL.canParse(`http://${header}`) ? new URL(`http://${header}`) : undefined;
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
