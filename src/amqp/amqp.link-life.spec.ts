import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { amqpLink, brokerAt, brokerPort } from '../../test/support/open-amqp.js';
import { neededService } from '../../test/support/needed-service.js';
import { TcpProxy } from '../../test/support/tcp-proxy.js';
import { eventually, rejectsWith } from '../core/contract.js';
import type { AmqpLink } from './amqp.link.js';
import type { AmqpOptions } from './amqp.options.js';

const rabbit = neededService('rabbitmq');

describe.skipIf(rabbit.missing)(`a link that is open${rabbit.note}`, () => {
  let proxy: TcpProxy;
  const links: AmqpLink[] = [];

  beforeEach(async () => {
    proxy = await TcpProxy.start(brokerPort());
  });

  afterEach(async () => {
    proxy.stop();
    await Promise.all(links.splice(0).map((link) => link.close()));
  });

  async function opened(options: Partial<AmqpOptions> = {}) {
    const { link, log } = amqpLink({ url: brokerAt(proxy.port), ...options });
    links.push(link);
    const events: string[] = [];
    link.listen({ up: () => events.push('up'), down: (why) => events.push(`down ${why}`) });
    await link.open();
    return { link, log, events };
  }

  it('comes back after each cut, with one line when it is lost and one when it is back', async () => {
    const { link, log, events } = await opened();
    expect(link).toMatchObject({ up: true, fault: undefined, blocked: undefined });
    for (let cut = 1; cut <= 3; cut += 1) {
      const channel = await link.channel();
      let closed = false;
      channel.on('close', () => (closed = true));
      proxy.cut();
      await eventually(() => events.length === 2 * cut + 1, 'it is back');
      expect(closed).toBe(true);
      const { queue } = await (await link.channel()).assertQueue('', { exclusive: true });
      expect(queue).toMatch(/^amq\.gen/);
    }
    expect(events.map((event) => event.split(' ')[0]).join()).toBe('up,down,up,down,up,down,up');
    expect(log.lines).toHaveLength(6);
    expect(log.lines[0]).toMatch(/^warn the connection "experiment-hub publish" to amqp:\/\/127.* is lost: /);
    expect(log.lines[1]).toMatch(/^log the connection .* is back after \d+\.\d s, at amqp:\/\/127/);
  });

  it('tries for as long as the broker is away, and says so once', async () => {
    const { link, log } = await opened();
    proxy.refuse();
    proxy.cut();
    await eventually(() => !link.up, 'it is down');
    await rejectsWith(() => link.channel(), 'UNAVAILABLE');
    const waited = await rejectsWith(() => link.whenUp(600), 'UNAVAILABLE');
    expect(waited.message).toContain('ECONNREFUSED');
    expect(link.fault).toContain('ECONNREFUSED');
    expect(log.lines).toHaveLength(1);
    const controller = new AbortController();
    const aborted = rejectsWith(() => link.whenUp(60_000, controller.signal), 'ABORTED');
    controller.abort();
    await aborted;
    await proxy.accept();
    await link.whenUp(10_000);
    expect(link).toMatchObject({ up: true, fault: undefined });
    expect(log.lines).toHaveLength(2);
  });

  it('is closed while the broker is away, and wakes who waits', async () => {
    const { link, events } = await opened();
    proxy.refuse();
    proxy.cut();
    await eventually(() => !link.up, 'it is down');
    const waiting = rejectsWith(() => link.whenUp(60_000), 'CLOSED');
    await link.close();
    await waiting;
    await proxy.accept();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(proxy.accepted).toBe(1);
    expect(events).toHaveLength(2);
  });

  it('notices a silent network by its heartbeats', async () => {
    const { link, events } = await opened({ heartbeat: 1_000, connectTimeout: 500 });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    // Heartbeats of both sides keep an idle connection.
    expect(events).toEqual(['up']);
    proxy.freeze();
    await eventually(() => !link.up, 'it is down', 10_000);
    expect(events[1]).toBe('down Heartbeat timeout');
    proxy.thaw();
    await link.whenUp(10_000);
  });

  it('closes in time while the network is silent', async () => {
    const { link } = await opened();
    proxy.freeze();
    const started = performance.now();
    await link.close();
    expect(performance.now() - started).toBeLessThan(5_000);
    proxy.thaw();
    await eventually(() => proxy.connections === 0, 'its socket is gone');
  });

  it('does not wait for a channel without end', async () => {
    const { link } = await opened({ connectTimeout: 400 });
    proxy.freeze();
    const error = await rejectsWith(() => link.channel(), 'UNAVAILABLE');
    expect(error.message).toContain('no channel within 400 ms');
  });

  it('goes to another node when its own is gone', async () => {
    const other = await TcpProxy.start(brokerPort());
    const { link } = await opened({ url: [brokerAt(proxy.port), brokerAt(other.port)] });
    proxy.stop();
    await eventually(() => other.accepted === 1, 'the other node is asked');
    await link.whenUp(10_000);
    other.stop();
  });

  it('is one of several that know nothing of each other', async () => {
    const other = await TcpProxy.start(brokerPort());
    const first = await opened();
    const second = await opened({ url: brokerAt(other.port), connectionName: 'other' });
    proxy.cut();
    await eventually(() => first.events.length === 3, 'the first is back');
    expect(second.events).toEqual(['up']);
    await first.link.close();
    expect(second.link.up).toBe(true);
    await second.link.channel();
    await second.link.close();
    other.stop();
  });

  it('logs a listener that throws, and calls the others', async () => {
    const { link, log } = amqpLink();
    links.push(link);
    let called = 0;
    const stop = link.listen({
      up: () => {
        throw new Error('of the listener');
      },
    });
    link.listen({ up: () => (called += 1) });
    await link.open();
    stop();
    expect(called).toBe(1);
    expect(log.lines).toEqual([expect.stringContaining('of the listener')]);
  });
});
