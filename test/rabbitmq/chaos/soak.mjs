// The long form of the RabbitMQ chaos tests: many messages through one queue with flat memory, then the chaos tests in
// random order with other seeds, for as many minutes as the first argument says (default 5) in all; what runs then ends.
// HUB_TEST_SEED repeats a run, HUB_SOAK_MESSAGES and the variables of chaos-size.ts set the sizes.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = 'test/rabbitmq/chaos';
const SUITES = ['outage', 'network', 'kill', 'retry', 'two-apps'];
const SIZES = { HUB_CHAOS_MESSAGES: '40000', HUB_CHAOS_ROUNDS: '8', HUB_CHAOS_KILLS: '8' };
/** Most growth of the memory while messages pass, in MiB from the first look to the last by the slope. */
const MOST_GROWTH = 30;

const until = Date.now() + Number(process.argv[2] ?? 5) * 60_000;
const messages = Number(process.env.HUB_SOAK_MESSAGES ?? 1_000_000);

register();
const { randomFrom, testSeed } = await import('../../durability/seeded-random.ts');
const { provideService, services } = await import('../../support/services.ts');
const { RabbitBroker } = await import('../../support/rabbit-broker.ts');
const service = services.find(({ name }) => name === 'rabbitmq');
const { check, stop } = await provideService(service, AbortSignal.timeout(600_000), (line) => console.log(line));
// Without it every suite would be skipped, and that is no success.
if (check.problem !== undefined) throw new Error(check.problem);

/** Sends them through one queue in a process of its own; whether its memory stayed flat and nothing was lost. */
async function million() {
  const broker = await RabbitBroker.create();
  try {
    const args = ['--import', 'tsx', `${here}/million.child.ts`, broker.amqpUrl, String(messages)];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const [code] = await once(child, 'close');
    if (code !== 0) return false;
    const { confirmed, consumed, duplicates, strange, seconds, slope, least, most, rss } = JSON.parse(output);
    const growth = (slope * seconds) / 60;
    console.log(
      `${confirmed} messages confirmed and ${consumed} consumed in ${seconds.toFixed(0)} s, ` +
        `${(confirmed / seconds).toFixed(0)} per second, ${duplicates} duplicates\n` +
        `  memory: ${least.toFixed(0)} to ${most.toFixed(0)} MiB, on average ${rss.toFixed(0)}; slope ` +
        `${slope.toFixed(2)} MiB per minute, ${growth.toFixed(1)} MiB in all`,
    );
    return confirmed === messages && consumed === messages && strange === 0 && growth < MOST_GROWTH;
  } finally {
    await broker.remove();
  }
}

const seed = testSeed();
const random = randomFrom(seed);
console.log(`soak: HUB_TEST_SEED=${seed}`);
let failed = (await million()) ? 0 : 1;
let rounds = 0;
let left = [];
while (Date.now() < until || rounds === 0) {
  if (left.length === 0) left = [...SUITES];
  const [suite] = left.splice(Math.floor(random() * left.length), 1);
  const own = String(Math.floor(random() * 2 ** 31));
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', `${here}/${suite}.spec.ts`, '--reporter=verbose'],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...SIZES, HUB_TEST_SERVICES: 'auto', ...process.env, HUB_TEST_SEED: own },
    },
  );
  rounds += 1;
  if (status !== 0) failed += 1;
  console.log(`soak: ${suite} with HUB_TEST_SEED=${own} ${status === 0 ? 'passed' : 'FAILED'}`);
}
console.log(`soak: ${rounds} suites, ${failed} failures`);
await stop?.();
process.exitCode = failed === 0 ? 0 : 1;
