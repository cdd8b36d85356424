import { describe, expect, it } from 'vitest';
import { HubError } from '../../../core/errors.js';
import { validateOptions } from '../../../core/validate.js';
import { celerySchema, type CeleryOptions } from './celery.options.js';

const SECRET = 'canary-secret';

function checked(options: object): CeleryOptions {
  return validateOptions<CeleryOptions>(celerySchema, options, {
    what: 'config',
    plugin: 'taskqueue',
    driver: 'celery',
  });
}

function faults(options: object): string {
  try {
    checked(options);
  } catch (error) {
    if (HubError.is(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  return '';
}

describe('celerySchema', () => {
  it('has defaults that are those of Celery', () => {
    expect(checked({})).toMatchObject({
      ...{ brokerUrl: 'amqp://guest:guest@localhost:5672', backendUrl: 'redis://localhost:6379/0' },
      ...{ defaultQueue: 'celery', queueType: 'classic', prioritySteps: [0, 3, 6, 9], serializer: 'json' },
      ...{ resultExpires: 86_400_000, visibilityTimeout: 3_600_000, timezone: 'UTC', showArguments: false },
    });
  });

  it('tells all faults at once, with their places and without the secrets', () => {
    const message = faults({
      brokerUrl: `http://user:${SECRET}@host`,
      backendUrl: `amqp://user:${SECRET}@host`,
      defaultQueue: 'a b',
      routes: { 'train.*': 'no queue!' },
      queueType: 'quorum',
      maxPriority: 9,
      serializer: 'pickle',
      timezone: 'Europe/Nowhere',
      prioritySteps: [0, 10],
      redisBroker: { password: { is: SECRET } },
      declare: 'maybe',
      resultExpires: 0,
      misspelt: SECRET,
    });
    for (const key of ['brokerUrl', 'backendUrl', 'defaultQueue', 'routes', 'maxPriority', 'serializer', 'timezone']) {
      expect(message).toContain(key);
    }
    for (const key of ['prioritySteps', 'redisBroker.password', 'declare', 'resultExpires', 'misspelt']) {
      expect(message).toContain(key);
    }
    expect(message).not.toContain(SECRET);
  });

  it.each([
    { brokerUrl: ['amqp://a', 'amqp://b'] },
    { queues: { one: null, two: { exchange: '', routingKey: 'x', arguments: { 'x-max-length': 5 } } } },
    { queueType: 'classic', maxPriority: 255 },
    { timezone: 'Asia/Kathmandu' },
  ])('takes %j', (options) => {
    expect(faults(options)).toBe('');
  });
});
