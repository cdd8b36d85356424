import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, rejectsWith } from '../../../core/contract.js';
import { HubError } from '../../../core/errors.js';
import { neededService } from '../../../../test/support/needed-service.js';
import { RabbitRoom } from '../../../../test/support/rabbit-room.js';
import { TcpProxy } from '../../../../test/support/tcp-proxy.js';

const { missing, note, address } = neededService('rabbitmq');
const COUNT = 3_000;

describe.skipIf(missing)(`redrive while the connection is lost${note}`, () => {
  let proxy: TcpProxy;
  let room: RabbitRoom;
  beforeAll(async () => {
    const url = new URL(address);
    proxy = await TcpProxy.start(Number(url.port || 5672), url.hostname);
    url.host = `127.0.0.1:${proxy.port}`;
    room = await RabbitRoom.open(url.href);
  });
  afterAll(async () => {
    await room.close();
    proxy.stop();
  });

  it('loses no dead letter, whenever that happens', async () => {
    const queues = room.queues();
    const letters = room.deadLetters(queues);
    const queue = room.name('cut');
    await queues.create(queue, {}, {});
    const ids = Array.from({ length: COUNT }, (_, index) => `m-${index}`);
    for (const messageId of ids) {
      room.channel.publish('', `${queue}.dead`, Buffer.from('1'), { messageId, persistent: true });
    }
    await room.channel.waitForConfirms();

    const ready = async (): Promise<number> => (await room.channel.checkQueue(queue)).messageCount;
    let cuts = 0;
    for (const enough of [100, 1_000, 2_000]) {
      const redrive = letters.redrive(queue, { max: COUNT }).catch((error: unknown) => error);
      await eventually(async () => (await ready()) >= enough, `${enough} are back`, 15_000);
      proxy.cut();
      const lost = eventually(() => !room.consume.up, 'the connection is lost');
      const result = await redrive;
      if (HubError.is(result, 'UNAVAILABLE')) {
        cuts += 1;
        expect(result.details['redriven']).toBeTypeOf('number');
      } else expect(result).toBeTypeOf('number');
      await lost;
      await room.consume.whenUp(10_000);
    }
    expect(cuts).toBeGreaterThan(0);

    await eventually(async () => (await letters.redrive(queue, { max: COUNT })) === 0, 'all are back', 15_000);
    const seen = new Set<unknown>();
    await room.channel.consume(queue, (message) => seen.add(message?.properties.messageId), { noAck: true });
    await eventually(() => seen.size === COUNT, 'each one is there', 15_000);
    expect(seen).toEqual(new Set(ids));
  }, 60_000);

  it('says UNAVAILABLE without a connection', async () => {
    const queue = room.name('down');
    await room.queues().create(queue, {}, {});
    proxy.refuse();
    proxy.cut();
    await eventually(() => !room.consume.up, 'the connection is lost');
    const letters = room.deadLetters(room.queues());
    await rejectsWith(() => letters.redrive(queue, { max: 1 }), 'UNAVAILABLE');
    await rejectsWith(() => letters.peek(queue, 1), 'UNAVAILABLE');
    await proxy.accept();
    await room.consume.whenUp(15_000);
    expect(await letters.peek(queue, 1)).toEqual([]);
  }, 60_000);
});
