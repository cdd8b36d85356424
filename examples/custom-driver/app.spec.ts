import { expect, it } from 'vitest';
import { main } from './app.js';

it('the configuration picks the driver that the application brings', async () => {
  expect(await main()).toEqual({ hello: 'memory' });
});
