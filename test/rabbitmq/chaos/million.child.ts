// Sends messages through one queue of a broker, consumes them beside that, and prints what the memory did. Arguments:
// URL, messages.
import '../../durability/silent-log.js';
import { setImmediate } from 'node:timers/promises';
import { openChaosPlugin } from './chaos-plugin.js';

/** Messages of one call of `sendBatch`. */
const BATCH = 500;
/** Batches that are under way at most. */
const FLIGHT = 4;
/** Most messages that are sent and not consumed. */
const BACKLOG = 20_000;
/** Between two looks at the memory, in ms. */
const SAMPLE_MS = 250;
/** Share of the messages that pass before the memory counts. */
const WARM_UP = 0.2;

const [, , url = '', count = ''] = process.argv;
const total = Number(count);
const plugin = await openChaosPlugin(url);
await plugin.createQueue('million');

// One bit for each message: a ledger that does not grow.
const seen = new Uint8Array(Math.ceil(total / 8));
let consumed = 0;
let duplicates = 0;
let strange = 0;
let over: () => void = () => undefined;
const finished = new Promise<void>((resolve) => (over = resolve));
await plugin.subscribe(
  'million',
  ({ messageId, payload }) => {
    const number = Number(payload);
    if (messageId !== `m${number}`) strange += 1;
    const [byte, bit] = [number >> 3, 1 << (number & 7)];
    if (((seen[byte] ?? 0) & bit) !== 0) duplicates += 1;
    else {
      seen[byte] = (seen[byte] ?? 0) | bit;
      consumed += 1;
    }
    if (consumed === total) over();
  },
  { concurrency: 50, prefetch: 500 },
);

const samples: { at: number; rss: number }[] = [];
const began = performance.now();
const look = (): void => {
  if (consumed < WARM_UP * total) return;
  samples.push({ at: (performance.now() - began) / 60_000, rss: process.memoryUsage.rss() / 1_048_576 });
};
const timer = setInterval(look, SAMPLE_MS);

let confirmed = 0;
const flight = new Set<Promise<void>>();
for (let first = 0; first < total; first += BATCH) {
  while (first - consumed > BACKLOG) await setImmediate();
  const batch = Array.from({ length: Math.min(BATCH, total - first) }, (_, index) => ({
    payload: first + index,
    messageId: `m${first + index}`,
  }));
  const sent: Promise<void> = plugin.sendBatch('million', batch).then((ids) => {
    confirmed += ids.length;
    flight.delete(sent);
  });
  flight.add(sent);
  if (flight.size >= FLIGHT) await Promise.race(flight);
}
await Promise.all(flight);
await finished;
clearInterval(timer);
const seconds = (performance.now() - began) / 1_000;
await plugin.shutdown();

// Least squares: MiB per minute.
const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const [at, rss] = [mean(samples.map((one) => one.at)), mean(samples.map((one) => one.rss))];
const over2 = samples.reduce((sum, one) => sum + (one.at - at) ** 2, 0);
const slope = samples.reduce((sum, one) => sum + (one.at - at) * (one.rss - rss), 0) / over2;
const most = Math.max(...samples.map((one) => one.rss));
const least = Math.min(...samples.map((one) => one.rss));
console.log(JSON.stringify({ confirmed, consumed, duplicates, strange, seconds, slope, least, most, rss }));
