import { expect, it } from 'vitest';
import { RollingWindow } from './rolling-window.js';

it('averages the latest values only', () => {
  const window = new RollingWindow(3);
  expect(window.mean).toBeNull();
  for (const value of [10, 1, 2, 3]) window.push(value);
  expect([window.samples, window.mean]).toEqual([3, 2]);
});
