import Joi from 'joi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../../core/contract.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import { topologyKeys, type TopologyOptions } from './topology.options.js';

const { missing, note } = neededService('rabbitmq');

function topology(given: object): TopologyOptions {
  return Joi.attempt(given, Joi.object(topologyKeys)) as TopologyOptions;
}

describe.skipIf(missing)(`the configured topology${note}`, () => {
  let room: RabbitRoom;
  beforeAll(async () => {
    room = await RabbitRoom.open();
  });
  afterAll(async () => {
    await room.close();
  });

  it('is declared, as often as wanted, and messages of other clients arrive by it', async () => {
    const [events, routed, matched] = [room.name('events'), room.name('routed'), room.name('matched')];
    const byHeaders = room.name('by-headers');
    const wanted = topology({
      exchanges: [
        { name: events, type: 'topic' },
        { name: byHeaders, type: 'headers', durable: false, autoDelete: true },
      ],
      queues: [{ name: routed, maxLength: 10 }, { name: matched }],
      bindings: [
        { exchange: events, queue: routed, routingKey: 'order.*' },
        { exchange: byHeaders, queue: matched, arguments: { 'x-match': 'all', kind: 'a' } },
      ],
    });
    const queues = room.queues();
    await queues.declareTopology(wanted);
    await queues.declareAgain(wanted);
    room.channel.publish(events, 'order.new', Buffer.from('1'));
    room.channel.publish(events, 'other', Buffer.from('1'));
    room.channel.publish(byHeaders, '', Buffer.from('1'), { headers: { kind: 'a' } });
    room.channel.publish(byHeaders, '', Buffer.from('1'), { headers: { kind: 'b' } });
    await room.channel.waitForConfirms();
    expect([await queues.ready(routed), await queues.ready(matched)]).toEqual([1, 1]);
    expect(queues.known(routed)).toEqual({ maxLength: 10, messageTtl: null, deliveryLimit: 20 });
    await room.queues({ declare: 'passive' }).declareTopology(wanted);
  });

  it('that differs from what is there is CONFLICT, naming the exchange or queue', async () => {
    const [exchange, queue] = [room.name('differs'), room.name('differs-queue')];
    const queues = room.queues();
    const declared = { exchanges: [{ name: exchange, type: 'topic' }], queues: [{ name: queue }] };
    await queues.declareTopology(topology(declared));
    for (const [other, named] of [
      [{ exchanges: [{ name: exchange, type: 'fanout' }] }, exchange],
      [{ queues: [{ name: queue, messageTtl: 5 }] }, queue],
    ] as const) {
      const error = await rejectsWith(() => queues.declareTopology(topology(other)), 'CONFLICT');
      expect(error.message).toContain(`"${named}`);
      expect(error.message).toContain('inequivalent arg');
    }
  });

  it('a binding to what does not exist is NOT_FOUND', async () => {
    const bindings = [{ exchange: room.name('nowhere'), queue: room.name('no-queue'), routingKey: 'k' }];
    const error = await rejectsWith(() => room.queues().declareTopology(topology({ bindings })), 'NOT_FOUND');
    expect(error.message).toContain('the binding of queue');
  });

  it('passive looks for exchanges and queues; none does not look', async () => {
    const exchanges = [{ name: room.name('theirs'), type: 'direct' }];
    const queues = [{ name: room.name('their-queue'), deliveryLimit: 3 }];
    const passive = room.queues({ declare: 'passive' });
    await rejectsWith(() => passive.declareTopology(topology({ exchanges })), 'NOT_FOUND');
    await rejectsWith(() => passive.declareTopology(topology({ queues })), 'NOT_FOUND');
    const none = room.queues({ declare: 'none' });
    await none.declareTopology(topology({ exchanges, queues, bindings: [] }));
    expect(none.known(queues[0]?.name ?? '')?.deliveryLimit).toBe(3);
  });

  it('options: defaults, and what is refused', () => {
    expect(topology({})).toEqual({ exchanges: [], queues: [], bindings: [] });
    expect(topology({ exchanges: [{ name: 'e', type: 'direct' }], bindings: [{ exchange: 'e', queue: 'q' }] })).toEqual(
      {
        exchanges: [{ name: 'e', type: 'direct', durable: true, autoDelete: false, internal: false }],
        queues: [],
        bindings: [{ exchange: 'e', queue: 'q', routingKey: '' }],
      },
    );
    for (const [wrong, named] of [
      [{ exchanges: [{ name: 'e', type: 'x-odd' }] }, 'exchanges[0].type'],
      [{ exchanges: [{ type: 'direct' }] }, 'exchanges[0].name'],
      [{ queues: [{ name: 'q', maxLength: 0 }] }, 'queues[0].maxLength'],
      [{ bindings: [{ exchange: 'e' }] }, 'bindings[0].queue'],
    ] as const) {
      expect(() => topology(wrong)).toThrow(named);
    }
  });
});
