import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { neededService } from '../../test/support/needed-service.js';
import { run } from '../../test/support/run-command.js';

const python = neededService('python');
const TIMEOUT = 180_000;
/** Runs the tests and prints how many there were, and how many went wrong. */
const RUNNER = `
import sys, unittest
result = unittest.TextTestRunner(stream=sys.stderr).run(unittest.defaultTestLoader.discover("."))
print("\\n", result.testsRun, len(result.failures) + len(result.errors))
sys.exit(not result.wasSuccessful())
`;

describe.skipIf(python.missing)(`examples/python-worker${python.note}`, () => {
  it(
    'passes its own tests',
    async () => {
      const cwd = fileURLToPath(new URL('.', import.meta.url));
      const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' };
      // Rejects with their output when one fails.
      const output = await run(python.address, ['-c', RUNNER], { timeout: TIMEOUT, env, cwd });
      const [ran = 0, wrong] = (output.trimEnd().split('\n').at(-1) ?? '').trim().split(' ').map(Number);
      expect(ran).toBeGreaterThanOrEqual(13);
      expect(wrong).toBe(0);
    },
    TIMEOUT,
  );
});
