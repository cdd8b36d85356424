import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { probeTcp } from '../../support/tcp-ready.js';

/** How often the port is tried, in ms. */
const PERIOD_MS = 10;
/** ms */
const DEADLINE = 120_000;

/** The moment, in ms of `performance.now()`, from which the broker accepts TCP connections. */
export async function acceptsAgain(port: number): Promise<number> {
  const deadline = performance.now() + DEADLINE;
  while ((await probeTcp(port)) !== undefined) {
    if (performance.now() > deadline) throw new Error(`nothing listens at port ${port}`);
    await pause(PERIOD_MS);
  }
  return performance.now();
}

/**
 * The moment at which a plain client without any wait between its attempts has a connection and an answer about a queue:
 * what the machine and the broker need at least, however loaded they are.
 */
export async function plainClientAgain(url: string, queue: string): Promise<number> {
  const deadline = performance.now() + DEADLINE;
  for (;;) {
    try {
      const connection = await connect(url, { timeout: 5_000 });
      connection.on('error', () => undefined);
      try {
        const channel = await connection.createChannel();
        channel.on('error', () => undefined);
        await channel.checkQueue(queue);
        return performance.now();
      } finally {
        await connection.close().catch(() => undefined);
      }
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await pause(PERIOD_MS);
    }
  }
}
