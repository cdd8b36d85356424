import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/run-command.js';
import { CHAOS } from './chaos-size.js';
import { StockServer } from './stock-server.js';

const PYTHON = process.env['HUB_TEST_PYTHON'];
const PROGRAM = fileURLToPath(new URL('./memory.child.ts', import.meta.url));
/** Most memory above the baseline, in bytes. */
const MOST = 100_000_000;
/** ms */
const TIMEOUT = 60_000 + CHAOS.bytes / 5_000;

type Figures = Record<'upload' | 'reading' | 'download' | 'file', { above: number; took: number }> & {
  intact: boolean;
};

describe.skipIf(PYTHON === undefined)('memory of large artifacts', () => {
  let server: StockServer;

  beforeAll(async () => {
    server = await StockServer.create(PYTHON ?? '');
  }, 240_000);
  afterAll(() => server.remove());

  it('stays the same however large they are, up and down', { timeout: TIMEOUT }, async () => {
    const args = ['--expose-gc', '--import', 'tsx', PROGRAM, server.url, join(server.folder, 'app')];
    const output = await run(process.execPath, [...args, String(CHAOS.bytes)], { timeout: TIMEOUT });
    const { intact, ...figures } = JSON.parse(output) as Figures;
    expect(intact).toBe(true);
    for (const { above } of Object.values(figures)) expect(above).toBeLessThan(MOST);
    const shown = Object.entries(figures).map(
      ([what, { above, took }]) =>
        `${what} ${(above / 1e6).toFixed(0)} MB above the baseline at ${(CHAOS.bytes / took / 1_000).toFixed(0)} MB/s`,
    );
    console.log(`artifact of ${CHAOS.bytes / 1e6} MB: ${shown.join(', ')}`);
  });
});
