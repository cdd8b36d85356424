// The long form of the tests on the real stack: the hub killed 20 times at random moments, and two replicas under load for
// five minutes. HUB_TEST_SEED repeats the moments; HUB_CHAOS_KILLS and HUB_REPLICA_SECONDS set the sizes.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const SIZES = { HUB_CHAOS_KILLS: '20', HUB_REPLICA_SECONDS: '300' };

register();
const { provideService, services } = await import('../../support/services.ts');
const { RabbitBroker } = await import('../../support/rabbit-broker.ts');
if (!RabbitBroker.isInstalled) throw new Error('there is no RabbitMQ. Install the package rabbitmq-server.');
const stops = [];
for (const name of ['python', 'redis', 'rabbitmq']) {
  const service = services.find((row) => row.name === name);
  const { check, stop } = await provideService(service, AbortSignal.timeout(600_000), (line) => console.log(line));
  // Without it every suite would be skipped, and that is no success.
  if (check.problem !== undefined) throw new Error(check.problem);
  stops.push(stop);
}

let failed = 0;
for (const suite of ['real-stack', 'kills', 'replicas']) {
  const args = ['node_modules/vitest/vitest.mjs', 'run', `test/e2e/real/${suite}.spec.ts`, '--reporter=verbose'];
  const env = { ...SIZES, HUB_TEST_SERVICES: 'auto', ...process.env };
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) failed += 1;
  console.log(`soak: ${suite} ${status === 0 ? 'passed' : 'FAILED'}`);
}
console.log(`soak: ${failed} failures`);
for (const stop of stops) await stop?.();
process.exitCode = failed === 0 ? 0 : 1;
