import { urlFault } from '../../../amqp/amqp.url.js';

/** How tasks or results travel. */
export type CeleryTransport = 'amqp' | 'redis' | 'sentinel' | 'rpc';

/** A Redis address out of a URL of Celery's. */
export interface CeleryRedisUrl {
  /** `redis(s)://…` of the server; of `sentinel://` URLs only login and database count. */
  url: string;
  /** `false` for `?ssl_cert_reqs=none`. */
  rejectUnauthorized?: boolean;
  /** The sentinels, of `sentinel://` URLs. */
  sentinels?: { host: string; port: number }[];
}

/** The transport that a URL names by its scheme; `undefined` for one that the driver does not know. */
export function transportOf(url: string): CeleryTransport | undefined {
  const scheme = /^([a-z+]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'amqp':
    case 'amqps':
    case 'pyamqp':
      return 'amqp';
    case 'redis':
    case 'rediss':
      return 'redis';
    case 'sentinel':
      return 'sentinel';
    case 'rpc':
      return 'rpc';
    default:
      return undefined;
  }
}

/** What is wrong with a broker's URL, without a word of it; nothing when it is one. */
export function brokerUrlFault(url: string): string | undefined {
  switch (transportOf(url)) {
    case 'amqp':
      return urlFault(amqpUrl(url));
    case 'redis':
    case 'sentinel':
      return redisFault(url);
    default:
      return 'has to begin with amqp://, amqps://, redis://, rediss:// or sentinel://';
  }
}

/** What is wrong with the URL of a result backend, without a word of it; nothing when it is one. */
export function backendUrlFault(url: string): string | undefined {
  switch (transportOf(url)) {
    case 'redis':
    case 'sentinel':
      return redisFault(url);
    case 'rpc':
      return url === 'rpc://' ? undefined : 'has to be rpc:// alone: the results come over the broker of brokerUrl';
    default:
      return 'has to begin with redis://, rediss:// or sentinel://, or be rpc://';
  }
}

/** A broker's URL as the hub's AMQP connections take it: Celery writes the vhost `/` as `//`, and knows `pyamqp`. */
export function amqpUrl(url: string): string {
  return url.replace(/^pyamqp:/i, 'amqp:').replace(/^(amqps?:\/\/[^/?#]*)\/\/$/i, '$1/%2F');
}

/** A Redis address out of a URL in which nothing is wrong. */
export function redisUrl(url: string): CeleryRedisUrl {
  const [first = '', ...others] = url.split(';');
  const address = new URL(first.replace(/^sentinel:/i, 'redis:'));
  const requirement = address.searchParams.get('ssl_cert_reqs');
  address.search = '';
  const found: CeleryRedisUrl = { url: address.href };
  if (requirement !== null) found.rejectUnauthorized = !/none$/i.test(requirement);
  if (transportOf(url) !== 'sentinel') return found;
  const nodes = [first, ...others].map((text) => new URL(text.replace(/^sentinel:/i, 'redis:')));
  // Celery takes the database from the last of them.
  address.pathname = nodes.at(-1)?.pathname ?? '';
  found.url = address.href;
  found.sentinels = nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 26_379) }));
  return found;
}

function redisFault(url: string): string | undefined {
  for (const part of url.split(';')) {
    const text = part.replace(/^sentinel:/i, 'redis:');
    if (!URL.canParse(text)) return 'has to be like redis://user:password@host:6379/0 (special characters as %XX)';
    const { hostname, pathname, searchParams } = new URL(text);
    if (hostname === '') return 'has to name a host';
    if (!/^\/?\d*$/.test(pathname)) return 'must have the number of a database behind the slash, if anything';
    const unknown = [...searchParams.keys()].find((key) => key !== 'ssl_cert_reqs');
    if (unknown !== undefined) return 'must have no query but ssl_cert_reqs: settings are keys of the configuration';
  }
  return undefined;
}
