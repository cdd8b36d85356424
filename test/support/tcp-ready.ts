import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const PAUSE = 50;
const ATTEMPT = 2_000;

/** What is wrong with the server at a TCP port of 127.0.0.1, or `undefined` when it accepts connections. */
export async function probeTcp(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: ATTEMPT });
    const end = (problem?: string): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.on('connect', () => end());
    socket.on('timeout', () => end(`nothing answers at port ${port}`));
    socket.on('error', (error) => end(error.message));
  });
}

/**
 * Asks again until it is ready.
 * @param what for the message
 * @param problem resolves to what is wrong, or to `undefined` when it is ready
 * @param timeout ms; rejects then with the last problem
 */
export async function untilReady(
  what: string,
  problem: () => Promise<string | undefined>,
  timeout: number,
): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const text = await problem();
    if (text === undefined) return;
    if (Date.now() > deadline) throw new Error(`${what} is not ready after ${timeout} ms: ${text}`);
    await setTimeout(PAUSE);
  }
}
