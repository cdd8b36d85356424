import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs suites one after the other, with sizes of their own, on Python, Redis and RabbitMQ; sets the exit code.
 * @param {readonly string[]} suites paths of spec files
 * @param {Readonly<Record<string, string>>} sizes variables, unless the environment has them
 * @param {number} rounds how often all of them run
 */
export async function soakSuites(suites, sizes, rounds = 1) {
  register();
  const { provideService, services } = await import('./services.ts');
  const { RabbitBroker } = await import('./rabbit-broker.ts');
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
  for (let round = 0; round < rounds; round += 1) {
    for (const suite of suites) {
      const args = ['node_modules/vitest/vitest.mjs', 'run', suite, '--reporter=verbose'];
      const env = { ...sizes, HUB_TEST_SERVICES: 'auto', ...process.env };
      const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
      if (status !== 0) failed += 1;
      console.log(`soak: ${suite} ${status === 0 ? 'passed' : 'FAILED'}`);
    }
  }
  console.log(`soak: ${failed} failures`);
  for (const stop of stops) await stop?.();
  process.exitCode = failed === 0 ? 0 : 1;
}
