import { randomUUID } from 'node:crypto';
import { DataStreamModule, DataStreamPlugin } from 'nestjs-experiment-hub';
import { RabbitBroker } from '../test/support/rabbit-broker.js';
import { open } from './open.js';
import { RawGolevelup, RawRabbit } from './rabbitmq-raw.js';

/** Kinds of queues. */
export type QueueType = 'classic' | 'quorum';

/** A station's report, about 190 bytes of JSON. */
export const PAYLOAD = {
  station: 'seattle-tacoma-international-airport',
  time: '2026-11-23T05:00:00.000Z',
  temperature: 12.5,
  humidity: 0.81,
  wind: { speed: 3.1, direction: 220, gusts: [4.2, 5.1, 3.9] },
  quality: 'checked',
};

/** The plugin, and a queue of its own. */
export interface StreamStage {
  stream: DataStreamPlugin;
  queue: string;
  type: QueueType;
}

/** The same, and the clients that it is compared with. */
export interface RabbitStage extends StreamStage {
  raw: RawRabbit;
  golevelup: RawGolevelup;
}

/** Runs `work` with the address of the broker that HUB_TEST_RABBITMQ names, or of one that is there only for it. */
export async function withBroker<T>(work: (url: string) => Promise<T>): Promise<T> {
  const given = process.env['HUB_TEST_RABBITMQ'];
  if (given !== undefined && given !== '') return work(given);
  const broker = await RabbitBroker.create();
  try {
    return await work(broker.amqpUrl);
  } finally {
    await broker.remove();
  }
}

/** Runs `work` with a plugin and a new queue, which is deleted afterwards. */
export async function withStream<T>(
  url: string,
  type: QueueType,
  work: (stage: StreamStage) => Promise<T>,
): Promise<T> {
  const app = await open(DataStreamModule.forRoot({ type: 'rabbitmq', config: { url, queueType: type } }));
  const stream = app.get(DataStreamPlugin);
  const queue = `bench-${randomUUID()}`;
  try {
    await stream.createQueue(queue);
    return await work({ stream, queue, type });
  } finally {
    await stream.deleteQueue(queue);
    await app.close();
  }
}

/** As {@link withStream}, with the other clients too. */
export function withClients<T>(url: string, type: QueueType, work: (stage: RabbitStage) => Promise<T>): Promise<T> {
  return withStream(url, type, async (stage) => {
    const raw = await RawRabbit.open(url);
    const golevelup = await RawGolevelup.open(url);
    try {
      return await work({ ...stage, raw, golevelup });
    } finally {
      await golevelup.close();
      await raw.close();
    }
  });
}
