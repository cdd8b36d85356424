import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { rejectsWith } from '../core/contract.js';
import { HubError } from '../core/errors.js';
import { collectSecrets } from '../core/secrets.js';
import { acceptSnakeCase, validateOptions } from '../core/validate.js';
import { amqpNodes } from './amqp.node.js';
import { AMQP_DEFAULTS, amqpKeys, type AmqpOptions } from './amqp.options.js';

const schema = acceptSnakeCase(Joi.object(amqpKeys));
const resolve = (config: object) => validateOptions<AmqpOptions>(schema, config, { what: 'config' });
const nodes = (config: object) => amqpNodes(resolve(config), 'name publish', { driver: 'amqp' });

/** The fault of a configuration, which must not tell what is in it. */
function faultOf(config: object): string {
  try {
    nodes(config);
  } catch (error) {
    expect(HubError.is(error, 'CONFIG_INVALID')).toBe(true);
    expect((error as HubError).message).not.toContain('s3cret');
    return (error as HubError).message;
  }
  throw new Error('expected a fault');
}

describe('options of AMQP', () => {
  it('have defaults, and are read in either spelling', () => {
    expect(resolve({})).toEqual(AMQP_DEFAULTS);
    expect(resolve({ connect_timeout: 5, reconnect: { max_delay: 7 }, while_disconnected: 'fail' })).toEqual({
      ...AMQP_DEFAULTS,
      connectTimeout: 5,
      reconnect: { ...AMQP_DEFAULTS.reconnect, maxDelay: 7 },
      whileDisconnected: 'fail',
    });
  });

  it('are refused when they make no sense', () => {
    for (const config of [
      { heartbeat: -1 },
      { heartbeat: 70_000_000 },
      { connectTimeout: 0 },
      { reconnect: { factor: 0.5 } },
      { reconnect: { jitter: 2 } },
      { port: 70_000 },
      { url: [] },
      { whileDisconnected: 'hope' },
      { tls: { keys: 'x' } },
    ]) {
      expect(() => resolve(config), JSON.stringify(config)).toThrow('the configuration has a fault');
    }
  });

  it('mark what is secret', () => {
    const config = {
      url: ['amqp://bob:s3cret-1@h'],
      password: 's3cret-2',
      tls: { key: 's3cret-3', passphrase: 's3cret-4' },
    };
    const secrets = collectSecrets(schema, config);
    for (const secret of ['s3cret-1', 's3cret-2', 's3cret-3', 's3cret-4']) expect(secrets).toContain(secret);
  });

  it.each([
    ['http://bob:s3cret@h', 'has to begin with amqp:// or amqps://'],
    ['s3cret', 'has to be like amqp://host:5672/vhost, with user:password@ before the host'],
    ['amqp://', 'has to name a host'],
    ['amqp://bob:s3cret#1@h', 'special characters as %XX'],
    ['amqp://h/v#s3cret', 'fragment'],
    ['amqp://h/v?heartbeat=5&password=s3cret', 'must not have a query'],
    ['amqp://h/a/b', 'written as %2F'],
    ['amqp://bob:s3cret%@h', 'written as %25'],
    ['amqp://bob:s3cret%E4@h', 'written as %25'],
  ])('say what is wrong with %s', (url, expected) => {
    expect(faultOf({ url })).toContain(expected);
    expect(faultOf({ url: ['amqp://h', url] })).toContain('url[1]');
  });

  it('refuse TLS settings that would not be used, and files that are not there', () => {
    expect(faultOf({ url: 'amqp://bob:s3cret@h', tls: { ca: '/nowhere' } })).toContain('amqp://, which is plain text');
    expect(faultOf({ tls: { key: 's3cret' } })).toContain('tls.key is neither PEM nor a readable file (ENOENT)');
    expect(faultOf({ tls: { ca: import.meta.filename } })).toContain('the file of tls.ca holds no PEM');
  });

  it('rejects an empty list that no schema saw', async () => {
    await rejectsWith(async () => amqpNodes({ ...AMQP_DEFAULTS, url: [] }, 'name', {}), 'CONFIG_INVALID');
  });
});

describe('the nodes of a broker', () => {
  it('have all parts of a URL, decoded', () => {
    const [node] = nodes({ url: 'amqps://b%C3%B6b%40:p%40%2F%3A%25%20%F0%9F%90%B0@[::1]:99/a%2Fb%20c' });
    expect(node).toMatchObject({ label: 'amqps://[::1]:99/a%2Fb%20c', host: '::1', port: 99, tls: true });
    expect(node.connect).toEqual({
      protocol: 'amqps',
      hostname: '::1',
      port: 99,
      username: 'böb@',
      password: 'p@/:% 🐰',
      vhost: 'a%2Fb%20c',
      heartbeat: 10,
    });
    expect(node.socket).toMatchObject({ noDelay: true, clientProperties: { connection_name: 'name publish' } });
  });

  it('have what a URL leaves out from the other options, and the ports of AMQP', () => {
    const others = { username: 'bob', password: 'pw', vhost: 'v', heartbeat: 1_200, host: 'unused', port: 1 };
    const [first, second] = nodes({ ...others, url: ['amqp://h', 'amqps://alice@h2/'] });
    expect(first.connect).toMatchObject({ hostname: 'h', port: 5672, username: 'bob', vhost: 'v', heartbeat: 2 });
    expect(second?.connect).toMatchObject({ port: 5671, username: 'alice', password: 'pw', vhost: 'v' });
  });

  it('are made of host and port without a URL', () => {
    const [plain] = nodes({ host: '::1', port: 5, vhost: 'a b' });
    expect(plain).toMatchObject({ label: 'amqp://[::1]:5/a%20b', tls: false });
    expect(nodes({ tls: { rejectUnauthorized: false } })[0]).toMatchObject({
      label: 'amqps://localhost:5671/',
      socket: { rejectUnauthorized: false },
    });
    expect(nodes({ tls: { enabled: false, servername: 'x' } })[0].label).toBe('amqp://localhost:5672/');
    expect(nodes({ url: 'amqp://h', tls: { enabled: true } })[0].label).toBe('amqps://h:5671/');
  });
});
