import { describe, expect, it } from 'vitest';
import { collectSecrets } from '../../../core/secrets.js';
import { acceptSnakeCase, validateOptions } from '../../../core/validate.js';
import { bullmqSchema, type BullMQOptions } from './bullmq.options.js';
import { BullMQPlugin } from './bullmq.plugin.js';

const validate = (options: object): BullMQOptions =>
  validateOptions(acceptSnakeCase(bullmqSchema), options, { what: 'config' });
const issueOf = (options: object): string => {
  try {
    validate(options);
  } catch (error) {
    return String(error);
  }
  throw new Error('the options are valid');
};

describe('the options of the bullmq driver', () => {
  it('have defaults for all that is not given', () => {
    expect(validate({})).toMatchObject({ host: 'localhost', port: 6379, prefix: 'bull', priorities: true, queues: {} });
  });

  it('take snake_case, and a queue without a word about it', () => {
    const options = validate({ worker_threads: 3, queues: { 'my_gpu.1': null, mails: { concurrency: 2 } } });
    expect(options).toMatchObject({ workerThreads: 3, queues: { 'my_gpu.1': {}, mails: { concurrency: 2 } } });
  });

  it('refuse two addresses, a cluster without a hash tag, and other schemes', () => {
    const cluster = [{ host: 'a' }];
    expect(issueOf({ url: 'redis://a', cluster })).toMatch(/url/);
    expect(issueOf({ cluster, prefix: 'bull' })).toMatch(/prefix.*hash tag/);
    expect(validate({ cluster })).toMatchObject({ cluster: [{ host: 'a', port: 6379 }], prefix: '{bull}' });
    expect(issueOf({ url: 'amqp://a' })).toMatch(/url/);
    expect(issueOf({ queues: { 'a:b': {} } })).toMatch(/queues/);
  });

  it('know their secrets', () => {
    const options = {
      url: 'redis://user:canary1@host',
      password: 'canary2',
      tls: { key: 'canary3', passphrase: 'canary4' },
      sentinel: { nodes: [{ host: 'a' }], name: 'b', password: 'canary5' },
    };
    const secrets = collectSecrets(bullmqSchema, options);
    for (const number of [1, 2, 3, 4, 5]) expect(secrets.some((text) => text.includes(`canary${number}`))).toBe(true);
  });

  it('say what the plugin supports', () => {
    expect(new BullMQPlugin().supports.priority).toBe(true);
    expect(new BullMQPlugin({ priorities: false }).supports.priority).toBe(false);
    expect(() => new BullMQPlugin({ prefix: '' })).toThrow(/prefix/);
  });
});
