// The long form of the kill tests: 50 kills, or as many as the first argument says. HUB_TEST_SEED repeats a run.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/durability/kill.spec.ts', '--reporter=verbose'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, HUB_KILL_ROUNDS: process.argv[2] ?? '50' } },
);
process.exitCode = status ?? 1;
