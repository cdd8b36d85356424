import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Options } from 'amqplib';
import { alternating, elapsed, percentile, rate, time, type Bench, type BenchLine } from './bench.js';
import { pipelined } from './pipelined.js';
import { PythonRates } from './python-rates.js';
import { withClients, PAYLOAD, withBroker, type RabbitStage } from './rabbitmq-stage.js';

const MESSAGES = 20_000;
/** Those that wait for each confirm are measured with less: all figures are rates. */
const ONE_BY_ONE = 500;
/** Most messages that are sent and not confirmed. */
const WINDOW = 1_000;
/** Messages of a batch; two of them are sent at a time. */
const BATCH = WINDOW / 2;
const PREFETCH = 200;
/** Round trips of one side in a row, and how often. */
const TRIPS = { block: 200, blocks: 10 };
/** Messages of the memory measurement. */
const MEMORY_MESSAGES = Number(process.env['HUB_BENCH_MESSAGES'] ?? 1_000_000);

/** The RabbitMQ driver against amqplib, golevelup's connection and Python's pika, on queues of both kinds. */
export const rabbitmq: Bench = {
  name: 'rabbitmq',
  async run() {
    return withBroker(async (url) => {
      const lines: BenchLine[] = [];
      for (const type of ['classic', 'quorum'] as const) {
        await withClients(url, type, async (stage) => {
          const python = new PythonRates(process.env['HUB_TEST_PYTHON'] ?? '.venv/bin/python', 'rabbitmq_rates.py', [
            url,
          ]);
          try {
            lines.push(...(await publishing(stage, python)), ...(await consuming(stage, python)));
          } finally {
            python.stop();
          }
          lines.push(...(await roundTrips(stage)));
        });
      }
      return [...lines, ...(await memory(url))];
    });
  },
};

async function publishing(stage: RabbitStage, python: PythonRates): Promise<BenchLine[]> {
  const { stream, raw, golevelup, queue, type } = stage;
  const payload = JSON.stringify(PAYLOAD);
  const measured = async (messages: number, work: () => Promise<number>): Promise<number> => {
    const figure = await work();
    const { ready } = await stream.queueInfo(queue);
    if (ready < messages) throw new Error(`${ready} of ${messages} messages are there`);
    await stream.flushQueue(queue);
    return figure;
  };
  const ours = (messages: number, window: number) => () =>
    measured(messages, () =>
      perSecond(messages, () =>
        pipelined(messages, window, (done) => void stream.sendData(queue, PAYLOAD).then(() => done(), done)),
      ),
    );
  const amqplib = (messages: number, window: number, more?: () => Options.Publish) => () =>
    measured(messages, () =>
      perSecond(messages, () => pipelined(messages, window, (done) => raw.publish(queue, PAYLOAD, done, more?.()))),
    );
  const batch = Array.from({ length: BATCH }, () => ({ payload: PAYLOAD }));
  const figures = await alternating({
    batches: () =>
      measured(MESSAGES, () =>
        perSecond(MESSAGES, () =>
          pipelined(MESSAGES / BATCH, 2, (done) => void stream.sendBatch(queue, batch).then(() => done(), done)),
        ),
      ),
    ours: ours(MESSAGES, WINDOW),
    raw: amqplib(MESSAGES, WINDOW),
    // The hub's messages have a header: when they were sent, in ms.
    same: amqplib(MESSAGES, WINDOW, () => ({ headers: { 'x-hub-sent-at': Date.now() } })),
    golevelup: () =>
      measured(MESSAGES, () =>
        perSecond(MESSAGES, () =>
          pipelined(MESSAGES, WINDOW, (done) => void golevelup.publish(queue, PAYLOAD).then(() => done(), done)),
        ),
      ),
    select: () => measured(MESSAGES, () => python.measure('select', queue, MESSAGES, payload)),
    oursSingly: ours(ONE_BY_ONE, 1),
    rawSingly: amqplib(ONE_BY_ONE, 1),
    blocking: () => measured(ONE_BY_ONE, () => python.measure('blocking', queue, ONE_BY_ONE, payload)),
  });
  const each = `${type}: sendData, awaited one by one`;
  const piped = `${type}: sendData, ${WINDOW} at a time`;
  const batches = `${type}: sendBatch of ${BATCH}, two at a time`;
  return [
    rate(`${batches}, against amqplib`, 'messages/s', figures.batches, figures.raw),
    rate(`${batches}, against golevelup`, 'messages/s', figures.batches, figures.golevelup),
    rate(`${piped}, against amqplib`, 'messages/s', figures.ours, figures.raw),
    rate(`${piped}, against amqplib with the same header`, 'messages/s', figures.ours, figures.same),
    rate(`${piped}, against golevelup`, 'messages/s', figures.ours, figures.golevelup),
    rate(`${piped}, against pika`, 'messages/s', figures.ours, figures.select),
    rate(`${each}, against amqplib`, 'messages/s', figures.oursSingly, figures.rawSingly),
    rate(`${each}, against pika`, 'messages/s', figures.oursSingly, figures.blocking),
  ];
}

async function consuming({ stream, raw, queue, type }: RabbitStage, python: PythonRates): Promise<BenchLine[]> {
  const messages = Array.from({ length: MESSAGES / 10 }, () => ({ payload: PAYLOAD }));
  const filled = async (work: () => Promise<number>): Promise<number> => {
    for (let part = 0; part < 10; part += 1) await stream.sendBatch(queue, messages);
    return work();
  };
  /** Messages/s from the start of a consumer to its last message. */
  const taken = (consume: (handle: () => void) => Promise<() => Promise<void>>) => () =>
    filled(async () => {
      let stop = async (): Promise<void> => undefined;
      const figure = await perSecond(MESSAGES, async () => {
        let [handled, done] = [0, (): void => undefined];
        const all = new Promise<void>((resolve) => (done = resolve));
        stop = await consume(() => {
          handled += 1;
          if (handled === MESSAGES) done();
        });
        await all;
      });
      await stop();
      return figure;
    });
  const ours = (concurrency: number) =>
    taken(async (handle) => {
      const subscription = await stream.subscribe(queue, handle, { prefetch: PREFETCH, concurrency });
      return () => subscription.close();
    });
  const figures = await alternating({
    one: ours(1),
    raw: taken((handle) => raw.consume(queue, PREFETCH, handle)),
    ten: ours(10),
    pika: () => filled(() => python.measure('consume', queue, MESSAGES, '""')),
  });
  const what = `${type}: subscribe, prefetch ${PREFETCH}`;
  return [
    rate(`${what}, against amqplib`, 'messages/s', figures.one, figures.raw),
    rate(`${what}, concurrency 10, against amqplib`, 'messages/s', figures.ten, figures.raw),
    rate(`${what}, against pika`, 'messages/s', figures.one, figures.pika),
  ];
}

async function roundTrips({ stream, raw, queue, type }: RabbitStage): Promise<BenchLine[]> {
  let arrived = (): void => undefined;
  const block = async (times: number[], send: () => unknown): Promise<void> => {
    for (let trip = 0; trip < TRIPS.block; trip += 1) {
      const arrival = new Promise<void>((resolve) => (arrived = resolve));
      const start = performance.now();
      const sent = send();
      await arrival;
      times.push(performance.now() - start);
      await sent;
    }
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  const subscription = await stream.subscribe(queue, () => arrived(), { prefetch: PREFETCH });
  await subscription.pause();
  for (let round = 0; round <= TRIPS.blocks; round += 1) {
    await subscription.resume();
    await block(round === 0 ? [] : ours, () => stream.sendData(queue, PAYLOAD));
    await subscription.pause();
    const stop = await raw.consume(queue, PREFETCH, () => arrived());
    await block(round === 0 ? [] : theirs, () => new Promise((resolve) => raw.publish(queue, PAYLOAD, resolve)));
    await stop();
  }
  await subscription.close();
  return [50, 99].map((p) =>
    time(`${type}: sendData to handler, p${p}`, 'ms', percentile(ours, p), percentile(theirs, p)),
  );
}

/** In a process of its own: what the measurements before left in memory would hide growth. */
async function memory(url: string): Promise<BenchLine[]> {
  const child = fileURLToPath(new URL('rabbitmq-memory.child.ts', import.meta.url));
  const args = ['--import', 'tsx', child, url, String(MEMORY_MESSAGES)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 1_800_000 });
  return stdout
    .trim()
    .split('\n')
    .map((bytes, index) => {
      const messages = ((index + 1) * MEMORY_MESSAGES) / 5;
      return rate(`memory after ${messages.toLocaleString('en')} messages`, 'MB', Number(bytes) / 1e6, null);
    });
}

async function perSecond(messages: number, work: () => Promise<unknown>): Promise<number> {
  return (messages / (await elapsed(work))) * 1_000;
}
