/** The parts of a broker's URL; what it leaves out is not there. */
export interface AmqpUrl {
  tls: boolean;
  /** Without brackets, for IPv6 too. */
  host: string;
  port?: number;
  username?: string;
  password?: string;
  vhost?: string;
}

/** What is wrong with `text` as the address of an AMQP broker, without a word of it; nothing when it is one. */
export function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) {
    return 'has to be like amqp://host:5672/vhost, with user:password@ before the host (special characters as %XX)';
  }
  const url = new URL(text);
  if (url.protocol !== 'amqp:' && url.protocol !== 'amqps:') return 'has to begin with amqp:// or amqps://';
  if (url.hostname === '') return 'has to name a host';
  if (url.search !== '' || url.hash !== '') {
    return 'must not have a query (?) or fragment (#): settings are keys of the configuration, and these characters in a password are written as %3F and %23';
  }
  if (url.pathname.slice(1).includes('/'))
    return 'must have one path segment, the vhost: a slash in it is written as %2F';
  const parts = [url.hostname, url.username, url.password, url.pathname];
  return parts.every(isDecodable) ? undefined : 'has a % that is no %XX of UTF-8 text: a % itself is written as %25';
}

/** The parts of a URL in which {@link urlFault} finds nothing wrong. */
export function parseAmqpUrl(text: string): AmqpUrl {
  const url = new URL(text);
  const vhost = decodeURIComponent(url.pathname.slice(1));
  return {
    tls: url.protocol === 'amqps:',
    host: decodeURIComponent(url.hostname).replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(vhost === '' ? {} : { vhost }),
  };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
