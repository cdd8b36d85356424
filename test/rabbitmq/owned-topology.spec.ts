import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { RabbitMQPluginOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { CANARY } from '../support/canary.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { PluginRoom } from './plugin-room.js';

const rabbit = neededService('rabbitmq');
const QUORUM = { 'x-queue-type': 'quorum' };

describe.skipIf(rabbit.missing)(`who owns the topology${rabbit.note}`, () => {
  let vhost: RabbitVhost;
  let room: PluginRoom;
  let owner: ChannelModel;
  let channel: ConfirmChannel;
  beforeEach(async () => {
    vhost = await RabbitVhost.open('owned');
    room = new PluginRoom();
    owner = await connect(vhost.url);
    channel = await owner.createConfirmChannel();
  });
  afterEach(async () => {
    await room.close();
    await owner.close();
    await vhost.remove();
  });

  const names = async (): Promise<string[]> => (await vhost.queues()).map(({ name }) => name).sort();
  const withTopology = (more: RabbitMQPluginOptions = {}): RabbitMQPluginOptions => ({
    url: vhost.url,
    exchanges: [{ name: 'events', type: 'topic', durable: true, autoDelete: false, internal: false }],
    queues: [{ name: 'rows', maxLength: 100 }],
    bindings: [{ exchange: 'events', queue: 'rows', routingKey: 'row.*' }],
    ...more,
  });

  it('assert: declares exchanges, queues and bindings, again and again', async () => {
    const first = await room.open(withTopology());
    await room.open(withTopology());
    expect(await names()).toEqual(['rows', 'rows.dead']);
    const messageId = await first.publish('events', 'row.new', { row: 1 }, { headers: { tenant: 'a' } });
    const delivery = await first.pullData('rows', { wait: 5_000 });
    expect(delivery).toMatchObject({ messageId, payload: { row: 1 }, headers: { tenant: 'a' }, attempt: 1 });
    await delivery?.ack();
  });

  it('publish: a missing exchange, and a routing key that nothing is bound for, are NOT_FOUND', async () => {
    const plugin = await room.open(withTopology());
    const missing = await rejectsWith(() => plugin.publish('no-such', 'k', 1), 'NOT_FOUND');
    expect(missing.message).toMatch(/\[datastream\/rabbitmq\] publish: .*no exchange 'no-such'/);
    const beside = plugin.sendData('rows', 'beside it');
    const lost = await rejectsWith(() => plugin.publish('events', 'other', 1), 'NOT_FOUND');
    expect(lost.message).toMatch(/no queue for "other" at the exchange "events"/);
    await beside;
    expect((await plugin.queueInfo('rows')).ready).toBe(1);
    // An exchange that is deleted after it was seen.
    await plugin.publish('events', 'row.a', 1);
    await channel.deleteExchange('events');
    await rejectsWith(() => plugin.publish('events', 'row.a', 1), 'NOT_FOUND');
    await plugin.sendData('rows', 'still works');
    for (const bad of ['x'.repeat(256), 7 as never]) {
      await rejectsWith(() => plugin.publish(bad, 'k', 1), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.publish('events', bad, 1), 'INVALID_ARGUMENT');
    }
  });

  it('assert: what exists with other settings is CONFLICT with both sides in the text', async () => {
    await channel.assertQueue('rows', { durable: true, arguments: QUORUM });
    const queue = await room.refused(withTopology(), 'CONFLICT');
    expect(queue.message).toMatch(/queue "rows" exists with other settings.*(received|current).*Use the same options/);
    await channel.deleteQueue('rows');
    await channel.assertQueue('rows', { durable: true });
    const type = await room.refused(withTopology(), 'CONFLICT');
    expect(type.message).toMatch(/queue "rows" exists.*(quorum|classic|received)/);
    await channel.deleteQueue('rows');
    await channel.deleteQueue('rows.dead');
    await channel.assertQueue('rows.dead', { durable: true });
    const dead = await room.refused(withTopology(), 'CONFLICT');
    expect(dead.message).toMatch(/rows\.dead/);
    await channel.deleteQueue('rows.dead');
    await channel.deleteExchange('events');
    await channel.assertExchange('events', 'fanout');
    const exchange = await room.refused(withTopology(), 'CONFLICT');
    expect(exchange.message).toMatch(/exchange "events".*'topic'.*'fanout'/);
  });

  it('a bad name in the configuration is told at the start, by name', async () => {
    const spaced = await room.refused(withTopology({ queues: [{ name: 'has space' }] }), 'CONFIG_INVALID');
    expect(spaced.message).toMatch(/queues\[0\]\.name/);
    const kept = await room.refused(withTopology({ queues: [{ name: 'rows.dead' }] }), 'INVALID_ARGUMENT');
    expect(kept.message).toContain('"rows.dead"');
    const binding = { exchange: 'events', queue: 'nowhere', routingKey: '#' };
    const unbound = await room.refused(withTopology({ bindings: [binding] }), 'NOT_FOUND');
    expect(unbound.message).toMatch(/binding of queue "nowhere" to exchange "events"/);
  });

  it('passive: what is missing is named; what is there is used as it is', async () => {
    const passive = withTopology({ declare: 'passive' });
    expect((await room.refused(passive, 'NOT_FOUND')).message).toMatch(/exchange "events"/);
    await channel.assertExchange('events', 'topic');
    const queue = await room.refused(passive, 'NOT_FOUND');
    expect(queue.message).toMatch(/"rows" does not exist, and declare is "passive".*"rows" and "rows.dead"/);
    await channel.assertQueue('rows', { durable: true, arguments: QUORUM });
    expect((await room.refused(passive, 'NOT_FOUND')).message).toContain('"rows.dead" does not exist');
    await channel.assertQueue('rows.dead', { durable: true, arguments: QUORUM });
    await channel.bindQueue('rows', 'events', 'row.*');
    const plugin = await room.open(passive);
    await plugin.publish('events', 'row.1', 'through');
    const delivery = await plugin.pullData('rows', { wait: 5_000 });
    expect(delivery?.payload).toBe('through');
    const delayed = await rejectsWith(async () => delivery?.requeue({ delay: 500 }), 'NOT_FOUND');
    expect(delayed.message).toMatch(/rows~delay\.500.*x-message-ttl/);
    await delivery?.reject('not wanted');
    expect(await plugin.peekDeadLetters('rows')).toMatchObject([{ payload: 'through', detail: 'not wanted' }]);
    await rejectsWith(() => plugin.createQueue('others'), 'NOT_FOUND');
    expect(await names()).toEqual(['rows', 'rows.dead']);
  });

  it('none: nobody looks at the start; what is missing is told by the call that needs it', async () => {
    const plugin = await room.open(withTopology({ declare: 'none' }));
    expect((await rejectsWith(() => plugin.sendData('rows', 1), 'NOT_FOUND')).message).toContain('"rows"');
    await rejectsWith(() => plugin.subscribe('rows', () => undefined), 'NOT_FOUND');
    await rejectsWith(() => plugin.pullData('rows'), 'NOT_FOUND');
    await rejectsWith(() => plugin.publish('events', 'row.1', 1), 'NOT_FOUND');
    // Who called has heard of it.
    expect(room.log.texts('warn', 'error')).toEqual([]);
    expect(await names()).toEqual([]);
    await channel.assertQueue('rows', { durable: true, arguments: QUORUM });
    await channel.assertQueue('rows.dead', { durable: true, arguments: QUORUM });
    const got = new Promise((resolve) => {
      void plugin.subscribe('rows', ({ payload }) => resolve(payload));
    });
    await plugin.sendData('rows', 'now it is there');
    expect(await got).toBe('now it is there');
  });

  it('a user without the right to configure: UNAUTHORIZED with assert, works with passive and none', async () => {
    const user = `${vhost.name}-reader`;
    await vhost.management.createUser(user, CANARY);
    await vhost.management.setPermissions(vhost.name, user, { configure: '', write: '.*', read: '.*' });
    try {
      const url = vhost.url.replace(/\/\/.*@/, `//${user}:${encodeURIComponent(CANARY)}@`);
      const refused = await room.refused({ ...withTopology(), url }, 'UNAUTHORIZED');
      expect(refused.message).toMatch(/events.*(ACCESS_REFUSED|refused)/);
      const creating = await room.open({ url });
      const queue = await rejectsWith(() => creating.createQueue('rows'), 'UNAUTHORIZED');
      expect(queue.message).toMatch(/configure/);
      await (await room.open(withTopology())).healthCheck();
      for (const declare of ['passive', 'none'] as const) {
        const plugin = await room.open({ ...withTopology({ declare }), url });
        await plugin.publish('events', 'row.1', declare);
        const delivery = await plugin.pullData('rows', { wait: 5_000 });
        expect(delivery?.payload).toBe(declare);
        await delivery?.ack();
      }
    } finally {
      await vhost.management.deleteUser(user);
    }
  });

  it('a user without the right to write or read is UNAUTHORIZED, and other messages are not hit', async () => {
    const admin = await room.open(withTopology());
    await admin.createQueue('mine');
    const user = `${vhost.name}-mute`;
    await vhost.management.createUser(user, CANARY);
    // The default exchange checks the right to write to amq.default.
    await vhost.management.setPermissions(vhost.name, user, { configure: '', write: 'events', read: 'mine' });
    try {
      const url = vhost.url.replace(/\/\/.*@/, `//${user}:${encodeURIComponent(CANARY)}@`);
      const plugin = await room.open({ url, declare: 'none' });
      const [denied, allowed] = await Promise.allSettled([
        plugin.sendData('mine', 1),
        plugin.publish('events', 'row.1', 1),
      ]);
      expect([denied.status, allowed.status]).toEqual(['rejected', 'fulfilled']);
      await rejectsWith(() => plugin.sendData('mine', 1), 'UNAUTHORIZED');
      await rejectsWith(() => plugin.pullData('rows'), 'UNAUTHORIZED');
      await rejectsWith(() => plugin.subscribe('rows', () => undefined), 'UNAUTHORIZED');
      await plugin.publish('events', 'row.2', 2);
    } finally {
      await vhost.management.deleteUser(user);
    }
  });
});
