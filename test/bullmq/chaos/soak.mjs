// The long form of the BullMQ chaos test: again and again with other seeds, all faults several times in each run, for as
// many minutes as the first argument says (default 5) in all; what runs then ends. HUB_TEST_SEED repeats a run,
// HUB_CHAOS_TASKS and HUB_CHAOS_ROUNDS set the sizes.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const SIZES = { HUB_CHAOS_TASKS: '40000', HUB_CHAOS_ROUNDS: '4' };

const until = Date.now() + Number(process.argv[2] ?? 5) * 60_000;

register();
const { randomFrom, testSeed } = await import('../../durability/seeded-random.ts');
const { provideService, services } = await import('../../support/services.ts');
const service = services.find(({ name }) => name === 'redis');
const { check, stop } = await provideService(service, AbortSignal.timeout(600_000), (line) => console.log(line));
// Without it the suite would be skipped, and that is no success.
if (check.problem !== undefined) throw new Error(check.problem);

const seed = testSeed();
const random = randomFrom(seed);
console.log(`soak: HUB_TEST_SEED=${seed}`);
let failed = 0;
let rounds = 0;
while (Date.now() < until || rounds === 0) {
  const own = String(rounds === 0 ? seed : Math.floor(random() * 2 ** 31));
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', 'test/bullmq/chaos/chaos.spec.ts', '--reporter=verbose'],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...SIZES, HUB_TEST_SERVICES: 'auto', ...process.env, HUB_TEST_SEED: own },
    },
  );
  rounds += 1;
  if (status !== 0) failed += 1;
  console.log(`soak: chaos with HUB_TEST_SEED=${own} ${status === 0 ? 'passed' : 'FAILED'}`);
}
console.log(`soak: ${rounds} runs, ${failed} failures`);
await stop?.();
process.exitCode = failed === 0 ? 0 : 1;
