import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../datastream.types.js';
import { LocalDataStreamPlugin } from './local.plugin.js';

const PLUGIN = new URL('./local.plugin.ts', import.meta.url).href;

/** Runs `body` with an open `plugin` in a process of its own; resolves, when it has died of SIGKILL, to what it wrote. */
async function killed(folder: string, body: string, onOutput?: (text: string) => boolean): Promise<string> {
  const script = `
    import { LocalDataStreamPlugin } from ${JSON.stringify(PLUGIN)};
    const plugin = new LocalDataStreamPlugin({ dataDir: ${JSON.stringify(folder)} });
    await plugin.initialize();
    ${body}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (onOutput?.(output) === true) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
  expect(signal, errors).toBe('SIGKILL');
  return output;
}

describe('local datastream and the death of its process', () => {
  let folder: string;
  let plugin: LocalDataStreamPlugin;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-stream-kill-'));
    plugin = new LocalDataStreamPlugin({ dataDir: folder });
  });
  afterEach(async () => {
    await plugin.shutdown();
    await rm(folder, { recursive: true });
  });

  it('every send that had resolved is there, and what was in hand comes again', async () => {
    const body = `
      await plugin.createQueue('orders');
      await plugin.sendData('orders', 'held', { priority: 9 });
      await plugin.pullData('orders');
      for (let n = 0; ; n += 1) {
        await plugin.sendData('orders', n);
        process.stdout.write(n + '\\n');
        if (n % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
      }`;
    const output = await killed(folder, body, (text) => text.split('\n').length > 500);
    // The last line may have been cut by the kill.
    const acknowledged = output.split('\n').slice(0, -1).map(Number);
    expect(acknowledged.length).toBeGreaterThanOrEqual(500);

    await plugin.initialize();
    const [first, ...rest] = await plugin.pullBatch('orders', { max: 1_000_000 });
    expect(first).toMatchObject({ payload: 'held', attempt: 2, redelivered: true });
    const payloads = rest.map(({ payload }) => payload);
    expect(payloads.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(rest.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('a message that kills the process becomes a dead letter at its deliveryLimit; those behind it are spared', async () => {
    await plugin.initialize();
    await plugin.createQueue('orders', { deliveryLimit: 2 });
    await plugin.sendBatch('orders', [{ payload: 'poison' }, { payload: 'innocent' }]);
    await plugin.shutdown();
    const body = `
      await plugin.subscribe('orders', ({ payload, attempt }) => {
        if (payload !== 'poison') return new Promise(() => undefined);
        process.stdout.write(attempt + ',');
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
        return new Promise(() => undefined);
      }, { prefetch: 10 });`;
    expect(await killed(folder, body)).toBe('1,');
    expect(await killed(folder, body)).toBe('2,');

    await plugin.initialize();
    const letters: DeadLetter[] = await plugin.peekDeadLetters('orders');
    expect(letters).toMatchObject([{ payload: 'poison', reason: 'delivery-limit', attempt: 2 }]);
    expect(await plugin.pullData('orders')).toMatchObject({ payload: 'innocent', attempt: 1, redelivered: false });
  });
});
