import { PassThrough, Readable } from 'node:stream';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { rejectsWith } from '../../../../core/contract.js';
import { UploadContent } from './upload-content.js';

const IDLE = 80;

/** A generator that stalls after its first bytes: the stream made of it cannot even be closed. */
const stalling = (): Readable =>
  Readable.from(
    (async function* () {
      yield Buffer.from('begun');
      await new Promise(() => undefined);
    })(),
  );

afterEach(() => void vi.useRealTimers());

describe('content that stalls', () => {
  it.each<[string, () => Readable]>([
    ['gives nothing at all', () => new PassThrough()],
    ['stops after some bytes', () => new Readable({ read: () => undefined }).setEncoding('utf8')],
    ['hangs in a generator', stalling],
  ])('and %s is TIMEOUT, and destroyed', async (_name, make) => {
    for (const read of [
      (content: UploadContent) => content.take(1_000),
      (content: UploadContent) => content.stream(Buffer.alloc(0)).toArray(),
    ]) {
      const source = make();
      source.push('some');
      const content = new UploadContent(source, IDLE);
      const error = await rejectsWith(() => read(content), 'TIMEOUT');
      expect(error.message).toContain(`${IDLE} ms`);
      expect(content.failure).toBe(error);
      expect(source.destroyed).toBe(true);
    }
  });

  it('ends at once by the signal, even where the stream cannot be closed', async () => {
    const stop = new AbortController();
    const content = new UploadContent(stalling(), 60_000, undefined, stop.signal);
    const taken = content.take(1_000);
    await setImmediate();
    stop.abort();
    await rejectsWith(() => taken, 'ABORTED');
  });

  it('that goes on in time is read whole, however long it takes', async () => {
    const slow = async function* () {
      for (let i = 0; i < 6; i += 1) {
        await setTimeout(IDLE / 4);
        yield Buffer.from('part');
      }
    };
    expect(await new UploadContent(Readable.from(slow()), IDLE).take(1_000)).toEqual(Buffer.from('part'.repeat(6)));
  });

  it('that is not asked for more does not stall', async () => {
    const content = new UploadContent(Readable.from([Buffer.from('ab'), Buffer.from('cd')]), IDLE, 4);
    expect((await content.take(1)).toString()).toBe('a');
    await setTimeout(2 * IDLE);
    expect((await content.take(10)).toString()).toBe('bcd');
  });

  it('tells an error after it was given up to nobody', async () => {
    const uncaught = vi.fn();
    process.prependListener('uncaughtException', uncaught);
    let finish: ((error: Error) => void) | undefined;
    const hung = new Readable({ read: () => undefined, destroy: (_error, done) => (finish = done) });
    const content = new UploadContent(hung, IDLE);
    await rejectsWith(() => content.take(1), 'TIMEOUT');
    content.destroy();
    await setTimeout(20);
    finish?.(new Error('the disk came back, broken'));
    await setTimeout(20);
    process.off('uncaughtException', uncaught);
    expect(hung.errored?.message).toContain('the disk came back');
    expect(uncaught).not.toHaveBeenCalled();
  });
});

describe('the timer', () => {
  it('keeps no process alive while it runs', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const source = new PassThrough();
    const taken = new UploadContent(source, 60_000).take(1);
    await setImmediate();
    expect(timers()).toBe(before);
    source.end('x');
    expect((await taken).toString()).toBe('x');
  });

  it('is gone once the content is closed, even where the stream cannot be', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const content = new UploadContent(stalling(), 60_000);
    const taken = rejectsWith(() => content.take(1_000), 'PAYLOAD_INVALID');
    await setImmediate();
    content.destroy();
    await taken;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is gone once the bytes are there, and with it the listener at the signal', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const source = new PassThrough();
    const taken = new UploadContent(source, 60_000, undefined, signal).take(10);
    source.write('x');
    await setImmediate();
    expect(vi.getTimerCount()).toBe(1);
    source.end('y');
    expect((await taken).toString()).toBe('xy');
    expect(vi.getTimerCount()).toBe(0);
    await setImmediate();
    // One for each piece and for the end, one by which the signal destroys the stream.
    expect(added).toHaveBeenCalledTimes(4);
    for (const [, listener] of added.mock.calls.slice(1)) {
      expect(removed.mock.calls.some(([, gone]) => gone === listener)).toBe(true);
    }
  });
});
