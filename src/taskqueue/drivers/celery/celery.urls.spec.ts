import { describe, expect, it } from 'vitest';
import { amqpUrl, backendUrlFault, brokerUrlFault, redisUrl, transportOf } from './celery.urls.js';

describe('URLs of Celery', () => {
  it.each([
    ['amqp://a:b@h:5672//', 'amqp'],
    ['AMQPS://h', 'amqp'],
    ['pyamqp://h//', 'amqp'],
    ['redis://h/0', 'redis'],
    ['rediss://h', 'redis'],
    ['sentinel://h', 'sentinel'],
    ['rpc://', 'rpc'],
    ['sqs://h', undefined],
    ['h:6379', undefined],
  ])('%s is %s', (url, transport) => {
    expect(transportOf(url)).toBe(transport);
  });

  it('the vhost / and pyamqp are as amqplib has them', () => {
    expect(amqpUrl('pyamqp://a:b@h//')).toBe('amqp://a:b@h/%2F');
    expect(amqpUrl('amqp://a:b@h/own')).toBe('amqp://a:b@h/own');
  });

  it('a broker is no rpc, a result backend no amqp; faults do not quote the URL', () => {
    const secret = 'canary';
    for (const fault of [
      brokerUrlFault('rpc://'),
      brokerUrlFault(`http://u:${secret}@h`),
      brokerUrlFault(`redis://u:${secret}@h/name`),
      brokerUrlFault(`redis://:${secret}@h/0?x=1`),
      backendUrlFault(`amqp://u:${secret}@h`),
      backendUrlFault(`rpc://${secret}`),
    ]) {
      expect(fault).toMatch(/^(has|must)/);
      expect(fault).not.toContain(secret);
    }
    expect([brokerUrlFault('amqp://g:g@h//'), backendUrlFault('rpc://'), backendUrlFault('rediss://h/1')]).toEqual(
      Array.from({ length: 3 }, () => undefined),
    );
  });

  it('Redis: certificates, and sentinels with the database of the last', () => {
    expect(redisUrl('rediss://u:p@h:1/2?ssl_cert_reqs=CERT_NONE')).toEqual({
      url: 'rediss://u:p@h:1/2',
      rejectUnauthorized: false,
    });
    expect(redisUrl('rediss://h?ssl_cert_reqs=required')).toMatchObject({ rejectUnauthorized: true });
    expect(redisUrl('sentinel://:p@a;sentinel://b:2/3')).toEqual({
      url: 'redis://:p@a/3',
      sentinels: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 2 },
      ],
    });
  });
});
