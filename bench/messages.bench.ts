import { join } from 'node:path';
import Database from 'libsql';
import { DataStreamModule, DataStreamPlugin } from 'nestjs-experiment-hub';
import { elapsed, paired, percentile, rate, time, type Bench } from './bench.js';
import { open } from './open.js';

const MESSAGES = 10_000;

/** Messages through the local stream. The raw side is one insert per message, committed one by one. */
export const messages: Bench = {
  name: 'messages',
  async run(folder) {
    const app = await open(DataStreamModule.forRoot({ config: { dataDir: folder } }));
    const stream = app.get(DataStreamPlugin);
    await stream.createQueue('send');
    await stream.createQueue('through');
    const db = new Database(join(folder, 'raw.db'));
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE m (id INTEGER PRIMARY KEY, body TEXT)',
    );
    const insert = db.prepare('INSERT INTO m (body) VALUES (?)');
    const payload = { temperature: 12.5, wind: 3.1, station: 'seattle' };

    const send = await paired(
      async () => {
        const ms = await elapsed(async () => {
          for (let index = 0; index < MESSAGES; index += 1) await stream.sendData('send', payload);
        });
        await stream.flushQueue('send');
        return (MESSAGES / ms) * 1_000;
      },
      async () => {
        const ms = await elapsed(() => {
          for (let index = 0; index < MESSAGES; index += 1) insert.run(JSON.stringify(payload));
        });
        return (MESSAGES / ms) * 1_000;
      },
      3,
    );

    let received = 0;
    let done = (): void => undefined;
    const latencies: number[] = [];
    const subscription = await stream.subscribe(
      'through',
      ({ payload: sentAt }) => {
        if (typeof sentAt === 'number') latencies.push(performance.now() - sentAt);
        received += 1;
        if (received === MESSAGES) done();
      },
      { concurrency: 10 },
    );
    const throughMs = await elapsed(async () => {
      const all = new Promise<void>((resolve) => (done = resolve));
      await stream.sendBatch(
        'through',
        Array.from({ length: MESSAGES }, () => ({ payload })),
      );
      await all;
    });
    for (let index = 0; index < 1_000; index += 1) {
      const before = latencies.length;
      await stream.sendData('through', performance.now());
      while (latencies.length === before) await new Promise((resolve) => setImmediate(resolve));
    }
    await subscription.close();
    await app.close();
    return [
      rate('sendData, awaited one by one', 'messages/s', send.ours, send.baseline),
      rate('sendBatch to acked handler', 'messages/s', (MESSAGES / throughMs) * 1_000, null),
      time('send to handler, p50', 'ms', percentile(latencies, 50), null),
      time('send to handler, p99', 'ms', percentile(latencies, 99), null),
    ];
  },
};
