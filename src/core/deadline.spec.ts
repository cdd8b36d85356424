import { describe, expect, it } from 'vitest';
import { abortError, MAX_TIMER_MS, sleep, throwIfAborted, withDeadline } from './deadline.js';
import { HubError } from './errors.js';

const never = (): Promise<never> => new Promise(() => undefined);
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (HubError.is(error) ? error.code : error),
  );

describe('withDeadline', () => {
  it('settles as the work does', async () => {
    expect(await withDeadline(Promise.resolve(3), 1_000)).toBe(3);
    const failure = new Error('no');
    await expect(withDeadline(Promise.reject(failure), 1_000)).rejects.toBe(failure);
  });

  it('rejects at the deadline, with the error of the caller if there is one', async () => {
    const start = performance.now();
    expect(await codeOf(withDeadline(never(), 30))).toBe('TIMEOUT');
    expect(performance.now() - start).toBeGreaterThanOrEqual(28);
    const own = new Error('own');
    await expect(withDeadline(never(), 1, () => own)).rejects.toBe(own);
  });

  it('does not fire at once for a wait that no timer can hold', async () => {
    const race = Promise.race([withDeadline(never(), Infinity), withDeadline(never(), MAX_TIMER_MS * 2), sleep(50)]);
    await expect(race).resolves.toBeUndefined();
  });

  it('rejects when the signal fires, before or during, and leaves no listener', async () => {
    expect(await codeOf(withDeadline(never(), 1_000, undefined, AbortSignal.abort()))).toBe('ABORTED');
    const controller = new AbortController();
    const work = codeOf(withDeadline(never(), 60_000, undefined, controller.signal));
    controller.abort();
    expect(await work).toBe('ABORTED');
  });
});

describe('sleep', () => {
  it('waits, or rejects as soon as the signal fires', async () => {
    const start = performance.now();
    await sleep(30);
    expect(performance.now() - start).toBeGreaterThanOrEqual(28);
    const controller = new AbortController();
    const work = codeOf(sleep(60_000, controller.signal));
    controller.abort();
    expect(await work).toBe('ABORTED');
    expect(await codeOf(sleep(60_000, AbortSignal.abort()))).toBe('ABORTED');
  });
});

describe('abortError', () => {
  it('passes a HubError on and wraps any other reason as cause', () => {
    const reason = new HubError('CLOSED', 'closing');
    expect(abortError(AbortSignal.abort(reason))).toBe(reason);
    const wrapped = abortError(AbortSignal.abort(new Error('why')), { plugin: 'mlops' });
    expect(wrapped).toMatchObject({ code: 'ABORTED', plugin: 'mlops', cause: { message: 'why' } });
  });

  it('is thrown only for a signal that fired', () => {
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow(/AbortSignal/);
  });
});
