import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitVhost } from '../../../../test/support/rabbit-vhost.js';
import { rejectsWith } from '../../../core/contract.js';
import { CeleryPlugin } from './celery.plugin.js';

const rabbit = neededService('rabbitmq');
const redis = neededService('redis');

describe.skipIf(rabbit.missing || redis.missing)(`what a hub notes of its submits${rabbit.note}${redis.note}`, () => {
  let vhost: RabbitVhost;
  let keyPrefix: string;
  let plugin: CeleryPlugin;
  let other: CeleryPlugin;

  beforeEach(async () => {
    vhost = await RabbitVhost.open('celery-notes');
    keyPrefix = `hub-test-${randomBytes(6).toString('hex')}:`;
    const options = { brokerUrl: vhost.url, backendUrl: redis.address, keyPrefix };
    plugin = new CeleryPlugin(options);
    other = new CeleryPlugin(options);
    await Promise.all([plugin.initialize(), other.initialize()]);
  });

  afterEach(async () => {
    await Promise.all([plugin.shutdown(), other.shutdown()]);
    await vhost.remove();
    const client = new Redis(redis.address);
    const keys = await client.keys(`${keyPrefix}*`);
    if (keys.length > 0) await client.del(keys);
    client.disconnect();
  });

  it('is there for others when the submit has resolved', async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, () => plugin.submitTask('some.task')));
    for (const id of ids) expect(await other.getStatus(id)).toMatchObject({ name: 'some.task', state: 'PENDING' });
  });

  it('is gone when the submit has failed', async () => {
    await plugin.submitTask('some.task', { taskId: 'there' });
    const backendUrl = redis.address;
    const careless = new CeleryPlugin({ brokerUrl: vhost.url, backendUrl, keyPrefix, declare: 'none' });
    await careless.initialize();
    try {
      const submit = () => careless.submitTask('some.task', { taskId: 'refused', queue: 'missing' });
      await rejectsWith(submit, 'NOT_FOUND');
    } finally {
      await careless.shutdown();
    }
    expect(await other.getStatus('there')).toMatchObject({ name: 'some.task' });
    expect(await other.getStatus('refused')).toMatchObject({ name: null });
  });
});
