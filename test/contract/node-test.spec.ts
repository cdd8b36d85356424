import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compiled } from '../support/compiled-child.js';
import { run } from '../support/run-command.js';
import { collectTests } from './run-mutant.js';
import { datastreamSuite } from './suites.js';

const child = fileURLToPath(new URL('./node-test.child.ts', import.meta.url));
const nodeTest = (options: readonly string[], mutant: string): Promise<string> =>
  run(process.execPath, [...compiled(), '--test', '--test-reporter=tap', ...options, child], {
    timeout: 120_000,
    env: { ...process.env, HUB_TEST_MUTANT: mutant },
  });

describe('a published suite under node:test', { timeout: 150_000 }, () => {
  it('runs every test, and all pass for the sound driver', async () => {
    const { length } = collectTests((runner) => datastreamSuite.register(runner, datastreamSuite.subject()));
    const report = await nodeTest([], '');
    expect(report).toMatch(new RegExp(`^# tests ${length}$`, 'm'));
    expect(report).toMatch(new RegExp(`^# pass ${length}$`, 'm'));
  });

  it('fails for a mutant, by the name of the test that catches it', async () => {
    const failed = nodeTest(['--test-name-pattern=/headers, correlation id/'], 'loses headers');
    await expect(failed).rejects.toThrow(/# fail 1$/m);
  });
});
