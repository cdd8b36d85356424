import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HUB_ERROR_CODES } from '../../src/core/errors.js';
import { outdatedDocs } from '../../docs/generate.js';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

describe('generated documentation', () => {
  // It formats some thousand lines, which takes its time on a busy machine.
  it('is up to date (npm run docs writes it)', { timeout: 90_000 }, async () => {
    expect(await outdatedDocs()).toEqual([]);
  });

  it('tells the meaning of every error code', () => {
    const errors = read('docs/errors.md');
    for (const code of HUB_ERROR_CODES) expect(errors).toMatch(new RegExp(`\\| \`${code}\` +\\| \\S.{10,} \\| \\S`));
  });

  it('lists methods of every plugin type', () => {
    const drivers = read('docs/drivers.md');
    for (const method of ['logBatch', 'withRun', 'subscribe', 'connect', 'submitTask', 'task']) {
      expect(drivers).toMatch(new RegExp(`\\| \`${method}\` +\\| supported`));
    }
  });
});
