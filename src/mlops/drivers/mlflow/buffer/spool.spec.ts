import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { point, pointText, tag } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { caught, SpooledBuffers } from '../../../../../test/mlflow/buffer/spooled-buffers.js';
import { spoolFolder } from './buffer.options.js';
import { StoreLogger } from '../../../../embedded/store-logger.js';
import { RunWriteBuffer } from './run-write-buffer.js';
import { Spool } from './spool.js';

const RETRY = { delay: 20, factor: 2, maxDelay: 100, jitter: 0.5 };
const SOON = { timeout: 10_000, interval: 5 };

describe('the spool of a RunWriteBuffer', () => {
  const buffers = new SpooledBuffers(RETRY);

  const steps = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
  const pointsOf = (runId: string): string[] => [...buffers.server.run(runId).points];
  const texts = (from: number, to: number): string[] => steps(from, to).map((step) => pointText(step));
  const writeAll = async (buffer: RunWriteBuffer, from: number, to: number): Promise<void> => {
    await Promise.all(steps(from, to).map((step) => buffer.write('r', point(step))));
  };

  it('a full spool rejects clearly, keeps what it acknowledged, and works again when there is room', async () => {
    const buffer = await buffers.open({}, 20_000);
    buffers.server.goAway();
    const results = await Promise.allSettled(steps(0, 500).map((step) => buffer.write('r', point(step))));
    const stored = steps(0, 500).filter((step) => results[step]?.status === 'fulfilled');
    expect(stored.length).toBeGreaterThan(50);
    expect(stored.length).toBeLessThan(120);
    expect(await caught(buffer.write('r', point(600)))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/spool.*holds its 20000 bytes/) as string,
    });
    buffers.server.comeBack();
    await expect.poll(() => buffer.status(), SOON).toMatchObject({ state: 'up', spooled: 0 });
    expect(pointsOf('r')).toEqual(stored.map((step) => pointText(step)));
    await writeAll(buffer, 600, 601);
  });

  it('with a spool that can take nothing the server is still found again', async () => {
    const buffer = await buffers.open({}, 10);
    buffers.server.goAway();
    expect(await caught(buffer.write('r', point(0)))).toMatchObject({ code: 'UNAVAILABLE' });
    buffers.server.comeBack();
    await expect.poll(() => caught(buffer.write('r', point(1))), SOON).toBeUndefined();
    expect(pointsOf('r')).toEqual(texts(1, 2));
  });

  it('what is too much for memory goes to the spool and follows in order', async () => {
    const buffer = await buffers.open({ maxBuffered: 100 });
    buffers.server.delay = 20;
    const writes = writeAll(buffer, 0, 5_000);
    const { buffered, spooled } = buffer.status();
    expect({ buffered, spooled }).toEqual({ buffered: 100, spooled: 4_900 });
    const end = buffer.end('r', 'FINISHED', 3);
    await writes;
    await end;
    await buffer.flush('r');
    expect(pointsOf('r')).toEqual(texts(0, 5_000));
    expect(buffers.server.run('r')).toMatchObject({ status: 'FINISHED', pointsAtEnd: 5_000 });
    expect(buffers.server.requests.length).toBeLessThan(12);
  });

  it('drain sends what it can within its deadline and spools the rest, requests under way included', async () => {
    const buffer = await buffers.open();
    buffers.server.delay = 60_000;
    const hanging = writeAll(buffer, 0, 20);
    const began = performance.now();
    await buffer.drain(100);
    await hanging;
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(buffer.status()).toMatchObject({ buffered: 0, spooled: 20 });
    await buffer.close();
    buffers.server.delay = 0;
    const next = await buffers.open();
    await writeAll(next, 20, 30);
    await next.drain(5_000);
    expect(pointsOf('r')).toEqual(texts(0, 30));
    expect(next.status()).toMatchObject({ buffered: 0, spooled: 0 });
  });

  it('two buffers share a buffers.folder, and what one leaves the other takes over', async () => {
    buffers.server.goAway();
    const [first, second] = [await buffers.open(), await buffers.open({ adoptInterval: 50 })];
    await first.write('r', point(0));
    await first.write('r', point(1));
    await second.write('s', point(0));
    expect((await readdir(buffers.folder)).filter((name) => name.endsWith('.db'))).toEqual([
      'spool-0.db',
      'spool-1.db',
    ]);
    expect([first.status().spooled, second.status().spooled]).toEqual([2, 1]);
    await first.close();
    await expect.poll(() => second.status().spooled, SOON).toBe(3);
    buffers.server.comeBack();
    await second.flush();
    expect([pointsOf('r'), pointsOf('s')]).toEqual([texts(0, 2), texts(0, 1)]);
    await expect.poll(async () => (await buffers.open()).status().spooled, SOON).toBe(0);
  });

  it('takes over at the start, the rejected ones as well', async () => {
    buffers.server.goAway();
    const [first, second] = [await buffers.open(), await buffers.open()];
    await second.write('gone', point(0));
    buffers.server.deleted.add('gone');
    buffers.server.comeBack();
    await expect.poll(() => second.status().rejected, SOON).toBe(1);
    buffers.server.goAway();
    await first.write('r', point(0));
    await Promise.all(steps(1, 1_200).map((step) => second.write('r', point(step))));
    await second.close();
    await first.close();
    const heir = await buffers.open();
    expect(heir.status()).toMatchObject({ spooled: 1_200, rejected: 1 });
    buffers.server.comeBack();
    await heir.flush();
    expect(pointsOf('r')).toEqual(texts(0, 1_200));
  });

  it('leaves a file whole that it does not take over to its end, so that no two processes replay parts of a run', async () => {
    buffers.server.goAway();
    const [first, second] = [await buffers.open(), await buffers.open()];
    await Promise.all(steps(0, 1_200).map((step) => second.write('r', point(step))));
    await second.close();
    await first.close();
    const logger = new StoreLogger('spool.spec');
    const adopted: [string, number][] = [];
    const open = (): Spool =>
      Spool.open({ folder: buffers.folder, maxBytes: 100_000_000, durability: 'process' }, logger, {
        adopted: (runId, count) => adopted.push([runId, count]),
        lost: () => undefined,
      });
    const spool = open();
    const halted = spool.adopt();
    spool.halt();
    await halted;
    expect([spool.runs(), adopted]).toEqual([[], []]);
    spool.close();
    const heir = open();
    await heir.adopt();
    expect(adopted).toEqual([['r', 1_200]]);
    expect(heir.runs()).toMatchObject([{ runId: 'r', count: 1_200, first: 1, last: 1_200 }]);
    heir.close();
  });

  it('gives the disk back after a long outage', async () => {
    const buffer = await buffers.open();
    buffers.server.goAway();
    await Promise.all(steps(0, 2_000).map((step) => buffer.write('r', tag(`t${step % 50}`, `${step}`.padEnd(6_000)))));
    const size = async (): Promise<number> => (await stat(join(buffers.folder, 'spool-0.db'))).size;
    await buffer.close();
    const full = await size();
    expect(full).toBeGreaterThan(10_000_000);
    buffers.server.comeBack();
    const next = await buffers.open();
    await next.flush();
    await next.close();
    expect(await size()).toBeLessThan(200_000);
    expect(buffers.server.run('r').tags.get('t49')?.trim()).toBe('1999');
  });

  it('names a folder per buffers.server, without what is secret in its URI', () => {
    const plain = spoolFolder('data', 'http://mlflow:5000');
    expect(plain).toMatch(/^data.mlflow-spool.[0-9a-f]{16}$/);
    expect(spoolFolder('data', 'http://user:password@mlflow:5000/')).toBe(plain);
    expect(spoolFolder('data', 'http://mlflow:5001')).not.toBe(plain);
    expect(spoolFolder('data', 'http://mlflow:5000/other')).not.toBe(plain);
  });

  it('names a folder per workspace of a server', () => {
    const names = [undefined, 'a', 'b', 'A'].map((workspace) => spoolFolder('data', 'http://mlflow:5000', workspace));
    expect(new Set([...names, spoolFolder('data', 'http://mlflow:5000/a')]).size).toBe(5);
    expect(spoolFolder('data', 'http://mlflow:5000/', 'a')).toBe(names[1]);
  });
});
