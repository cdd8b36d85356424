import type { Options, SocketOptions } from 'amqplib';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import type { AmqpOptions, AmqpTlsOptions } from './amqp.options.js';
import { tlsSocketOptions } from './amqp.tls.js';
import { parseAmqpUrl, urlFault, type AmqpUrl } from './amqp.url.js';

/** One node of the broker, as amqplib is told of it. */
export interface AmqpNode {
  /** The address without credentials, for messages. */
  readonly label: string;
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly connect: Options.Connect;
  readonly socket: SocketOptions;
}

/** At least one. */
export type AmqpNodes = readonly [AmqpNode, ...AmqpNode[]];

/**
 * The nodes that `options` name, in their order. Throws `CONFIG_INVALID` for a wrong URL, for a TLS file that cannot be
 * read, and for TLS settings beside an `amqp://` URL, which would go out in plain text.
 */
export function amqpNodes(options: AmqpOptions, connectionName: string, source: HubErrorOptions): AmqpNodes {
  const { url, tls = {} } = options;
  const urls = url === undefined ? undefined : typeof url === 'string' ? [url] : url;
  if (urls === undefined) {
    const { host, port } = options;
    const parts = { tls: tls.enabled ?? hasSettings(tls), host: host.replace(/^\[|\]$/g, '') };
    return [nodeOf({ ...parts, ...(port === undefined ? {} : { port }) }, options, connectionName, source)];
  }
  const [first, ...others] = urls.map((text) => {
    const fault = urlFault(text);
    if (fault !== undefined) throw new HubError('CONFIG_INVALID', `url ${fault}.`, source);
    const parts = parseAmqpUrl(text);
    if (!parts.tls && tls.enabled === undefined && hasSettings(tls)) {
      throw new HubError(
        'CONFIG_INVALID',
        'there are tls settings, but url begins with amqp://, which is plain text: write amqps://, or set tls.enabled.',
        source,
      );
    }
    return nodeOf({ ...parts, tls: tls.enabled ?? parts.tls }, options, connectionName, source);
  });
  if (first === undefined) throw new HubError('CONFIG_INVALID', 'url is an empty list: name a broker.', source);
  return [first, ...others];
}

function hasSettings({ enabled: _enabled, ...settings }: AmqpTlsOptions): boolean {
  return Object.values(settings).some((value) => value !== undefined);
}

function nodeOf(parts: AmqpUrl, options: AmqpOptions, connectionName: string, source: HubErrorOptions): AmqpNode {
  const { host, tls, port = tls ? 5671 : 5672, vhost = options.vhost } = parts;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    label: `${tls ? 'amqps' : 'amqp'}://${shown}:${port}/${vhost === '/' ? '' : encodeURIComponent(vhost)}`,
    tls,
    host,
    port,
    connect: {
      protocol: tls ? 'amqps' : 'amqp',
      hostname: host,
      port,
      username: parts.username ?? options.username,
      password: parts.password ?? options.password,
      // amqplib decodes it, in this form too.
      vhost: encodeURIComponent(vhost),
      heartbeat: Math.ceil(options.heartbeat / 1_000),
    },
    socket: {
      ...(tls ? tlsSocketOptions(options.tls ?? {}, source) : {}),
      noDelay: true,
      clientProperties: { connection_name: connectionName },
    },
  };
}
