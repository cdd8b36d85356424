// The long form of the MLflow chaos tests. HUB_TEST_SEED repeats a run, the variables below set the sizes; arguments are
// handed to Vitest.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const sizes = {
  HUB_CHAOS_POINTS: '500000',
  HUB_CHAOS_ROUNDS: '20',
  HUB_CHAOS_WEATHER: '120000',
  HUB_CHAOS_BYTES: '1000000000',
};

register();
const { provideService, services } = await import('../../support/services.ts');
const python = services.find(({ name }) => name === 'python');
const { check } = await provideService(python, AbortSignal.timeout(600_000), (line) => console.log(line));
// Without it every suite would be skipped, and that is no success.
if (check.problem !== undefined) throw new Error(check.problem);

const { status } = spawnSync(
  process.execPath,
  [
    ...['node_modules/vitest/vitest.mjs', 'run', 'test/mlflow/chaos', '--reporter=verbose', '--no-file-parallelism'],
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: { ...sizes, HUB_TEST_SERVICES: 'auto', ...process.env } },
);
process.exitCode = status ?? 1;
