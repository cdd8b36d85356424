/** Sends and handles messages, and prints the process's memory in bytes at each fifth. Arguments: broker, how many. */
import { pipelined } from './pipelined.js';
import { withStream, PAYLOAD } from './rabbitmq-stage.js';

const WINDOW = 1_000;
const [, , url = '', messages = ''] = process.argv;
const fifth = Number(messages) / 5;
await withStream(url, 'quorum', async ({ stream, queue }) => {
  let handled = 0;
  let wake = (): void => undefined;
  const subscription = await stream.subscribe(
    queue,
    () => {
      handled += 1;
      if (handled % fifth === 0) console.log(process.memoryUsage.rss());
      if (handled % WINDOW === 0) wake();
    },
    { prefetch: 200, concurrency: 10 },
  );
  for (let sent = 0; sent < Number(messages); sent += WINDOW) {
    await pipelined(WINDOW, WINDOW, (done) => void stream.sendData(queue, PAYLOAD).then(() => done(), done));
    // No backlog: what is measured is this process, not a queue that grows.
    while (handled < sent + WINDOW) await new Promise<void>((resolve) => (wake = resolve));
  }
  await subscription.close();
});
