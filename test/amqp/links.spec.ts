import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runChild } from '../hardening/run-child.js';
import { neededService } from '../support/needed-service.js';
import { brokerAt, brokerPort } from '../support/open-amqp.js';

const rabbit = neededService('rabbitmq');
const QUICK = { connectTimeout: 500 };

describe.skipIf(rabbit.missing)(`links that failed to open or were closed${rabbit.note}`, () => {
  it('leave nothing that keeps the process', async () => {
    const silent = createServer((socket) => socket.on('error', () => socket.destroy())).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const hanging = (silent.address() as AddressInfo).port;
    const url = brokerAt(brokerPort());
    const secure = (address: string): string => address.replace('amqp:', 'amqps:');
    const orders: [expected: string, options: object, times: number][] = [
      ['OPENED', { url }, 50],
      ['UNAVAILABLE', { url: brokerAt(1) }, 3],
      ['UNAVAILABLE', { url: brokerAt(hanging), ...QUICK }, 3],
      ['UNAVAILABLE', { url: secure(brokerAt(hanging)), ...QUICK }, 3],
      ['UNAVAILABLE', { url: [brokerAt(hanging), brokerAt(1)], ...QUICK }, 2],
      ['UNAVAILABLE', { url: 'amqp://no-such-host.invalid' }, 2],
      ['UNAUTHORIZED', { url: url.replace(/\/\/.*@/, '//bob:wrong@') }, 3],
      ['CONFIG_INVALID', { url: `${url.replace(/\/+$/, '')}/no%2Fsuch` }, 3],
      ['CONFIG_INVALID', { url: secure(url) }, 3],
    ];
    const child = await runChild('../amqp/links.child.ts', [
      JSON.stringify(orders.map(([, options, times]) => ({ options, times }))),
    ]);
    silent.close();
    expect({ code: child.code, stderr: child.stderr }).toEqual({ code: 0, stderr: '' });
    const lines = child.stdout.split('\n').filter((line) => /^[A-Z_]+$/.test(line));
    expect(lines).toEqual(orders.flatMap(([expected, , times]) => Array<string>(times).fill(expected)));
    // Reconnection would go on for ever; a socket that waits for its end is destroyed after a second.
    expect(child.lingered).toBeLessThan(10_000);
  });
});
