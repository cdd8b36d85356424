import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/run-command.js';

const LIMIT_MS = 300_000;

/** A line of the matrix' table. */
interface Row {
  app: string;
  node: string;
  result: string;
}

// The whole matrix (Nest 11 and 12, ESM and CommonJS, Jest, three Node versions) is `npm run test:matrix`.
describe('the packed tarball in an empty Nest 12 project', () => {
  let folder: string;
  let rows: Row[] = [];
  let output = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-packed-'));
    const json = join(folder, 'rows.json');
    const script = fileURLToPath(new URL('./run.mjs', import.meta.url));
    const args = [script, '--only', 'nest12-esm', '--node', 'current', '--json', json];
    // A failed row ends the script with 1; the rows, read below, say which.
    output = await run(process.execPath, args, { timeout: LIMIT_MS }).catch((error: Error) => error.message);
    rows = JSON.parse(await readFile(json, 'utf8').catch(() => '[]')) as Row[];
  }, LIMIT_MS);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['publint', 'has nothing to report'],
    ['attw', 'has nothing to report'],
    ['nest12-esm: install', 'meets every required peer, with no optional one'],
    ['nest12-esm: types', 'check with skipLibCheck false'],
    ['nest12-esm', 'boots on Express and Fastify, serves, closes, and loads nothing optional'],
  ])('%s %s', (app) => {
    expect(rows.find((row) => row.app === app)?.result, output).toBe('ok');
  });
});

describe('docs/commonjs.md', () => {
  it('holds the Jest configuration that the matrix runs', async () => {
    const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8');
    expect(await read('../../../docs/commonjs.md')).toContain(await read('./apps/cjs/jest.config.cjs'));
  });
});
