import { describe, expect, it } from 'vitest';
import { parseHubConfig } from '../../src/config/index.js';
import type { ConfigIssue } from '../../src/core/validate.js';
import type { RabbitMQOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { experimentsSchema } from '../../src/experiment/experiment.schema.js';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';
import { CANARY, tellsCanary } from '../support/canary.js';
import { configErrorOf } from '../support/config-drivers.js';

/** A configuration file with the lines in the driver's `config` block. */
const parse = (...lines: string[]): RabbitMQOptions => {
  const text = [
    'plugins:',
    '  datastream:',
    '    type: rabbitmq',
    '    config:',
    ...lines.map((line) => `      ${line}`),
  ];
  const drivers = builtInDrivers();
  return parseHubConfig(text.join('\n'), { drivers, experimentsSchema, env: {}, file: 'hub.yaml' }).plugins[
    'datastream'
  ]?.config as unknown as RabbitMQOptions;
};
const issuesOf = (...lines: string[]): ConfigIssue[] => {
  const error = configErrorOf(() => parse(...lines));
  expect(tellsCanary(error)).toBe(false);
  return error.issues;
};

describe('the rabbitmq driver in hub_config.yaml', () => {
  it('has a default for every key', () => {
    expect(parse('{}')).toMatchObject({
      ...{ host: 'localhost', username: 'guest', password: 'guest', vhost: '/', heartbeat: 10_000 },
      ...{ connectTimeout: 10_000, publishTimeout: 30_000, whileDisconnected: 'wait', queueType: 'quorum' },
      ...{ durable: true, priorities: false, declare: 'assert', maxPayloadBytes: 1_048_576, queues: [] },
    });
  });

  it('takes host, port, username and password', () => {
    const config = parse('host: localhost', 'port: 5672', 'username: guest', `password: '${CANARY}'`);
    expect(config).toMatchObject({ host: 'localhost', port: 5672, username: 'guest', password: CANARY });
  });

  it('takes snake_case, in nested keys and lists too', () => {
    const config = parse(
      'connect_timeout: 1500',
      'publish_timeout: 2500',
      'while_disconnected: fail',
      'connection_name: billing',
      'queue_type: classic',
      'max_payload_bytes: 1000',
      'backlog_threshold: 50',
      'reconnect: { max_delay: 700 }',
      'tls: { enabled: true, reject_unauthorized: false }',
      'queues: [{ name: rows, max_length: 5, message_ttl: 60000, delivery_limit: 3 }]',
      'exchanges: [{ name: events, type: topic, auto_delete: true, arguments: { alternate-exchange: rest } }]',
      'bindings: [{ exchange: events, queue: rows, routing_key: row.* }]',
    );
    expect(config).toMatchObject({
      ...{ connectTimeout: 1_500, publishTimeout: 2_500, whileDisconnected: 'fail', connectionName: 'billing' },
      ...{ queueType: 'classic', maxPayloadBytes: 1_000, backlogThreshold: 50 },
      reconnect: { maxDelay: 700, delay: 200 },
      tls: { enabled: true, rejectUnauthorized: false },
      queues: [{ name: 'rows', maxLength: 5, messageTtl: 60_000, deliveryLimit: 3 }],
      exchanges: [{ name: 'events', autoDelete: true, durable: true, arguments: { 'alternate-exchange': 'rest' } }],
      bindings: [{ exchange: 'events', queue: 'rows', routingKey: 'row.*' }],
    });
  });

  it.each([
    ['durable: false', 'durable', 'durable: false needs queueType: classic'],
    ['priorities: true', 'priorities', 'priorities: true needs queueType: classic'],
  ])('%s with quorum queues says what to do', (line, key, words) => {
    expect(issuesOf(line)).toMatchObject([{ path: `plugins.datastream.config.${key}`, message: `${words}.`, line: 5 }]);
    expect(issuesOf('queue_type: quorum', line)).toHaveLength(1);
    expect(parse('queue_type: classic', line)).toMatchObject({ queueType: 'classic' });
  });

  it.each([
    ['prefech: 10', 'prefech', 'prefetch'],
    ['conect_timeout: 10', 'conect_timeout', 'connect_timeout'],
    ['queue_type: quorun', 'queue_type', 'quorum'],
    ['declare: asert', 'declare', 'assert'],
    ['while_disconnected: wiat', 'while_disconnected', 'wait'],
  ])('%s: names the likely one', (line, key, suggestion) => {
    expect(issuesOf(line)).toMatchObject([{ path: `plugins.datastream.config.${key}`, suggestion }]);
  });

  it.each([
    ['port: 70000', 'port'],
    ['heartbeat: -1', 'heartbeat'],
    ['heartbeat: 70000000', 'heartbeat'],
    ['prefetch: 0', 'prefetch'],
    ['prefetch: 65536', 'prefetch'],
    ['max_payload_bytes: 134217729', 'max_payload_bytes'],
    ['reconnect: { jitter: 2 }', 'reconnect.jitter'],
    ['queues: [{ max_length: 5 }]', 'queues[0].name'],
    ['exchanges: [{ name: events, type: x-delayed }]', 'exchanges[0].type'],
    ['url: []', 'url'],
    [`url: 'redis://u:${encodeURIComponent(CANARY)}@h'`, 'url'],
    [`url: ['amqp://localhost', 'amqp://u:${CANARY}@h/a/b']`, 'url'],
    [`password: { nested: '${CANARY}' }`, 'password'],
    [`tls: { key: { nested: '${CANARY}' } }`, 'tls.key'],
  ])('%s is a fault of that key', (line, key) => {
    expect(issuesOf(line)[0]?.path).toContain(`plugins.datastream.config.${key}`);
  });
});
