import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Alarm } from './alarm.js';

const DAY = 86_400_000;

beforeEach(() => vi.useFakeTimers({ now: 0 }));
afterEach(() => vi.useRealTimers());

it('rings at a time further away than a timer can hold, and not before', () => {
  const ring = vi.fn<() => void>();
  new Alarm(ring).set(60 * DAY);
  vi.advanceTimersByTime(60 * DAY - 1);
  expect(ring).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(ring).toHaveBeenCalledTimes(1);
});

it('rings for the last time that was set, and not once it is cleared', () => {
  const ring = vi.fn<() => void>();
  const alarm = new Alarm(ring);
  alarm.set(1_000);
  alarm.set(3_000);
  vi.advanceTimersByTime(2_000);
  expect(ring).not.toHaveBeenCalled();
  alarm.clear();
  vi.advanceTimersByTime(DAY);
  expect(ring).not.toHaveBeenCalled();
});
