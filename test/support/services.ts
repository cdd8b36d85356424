import { postgres } from './postgres.js';
import { pythonVenv, type PythonVenv } from './python-venv.js';
import { rabbitmq } from './rabbitmq.js';
import { redis } from './redis.js';

/** A way to bring up a service that is not there. */
export interface ServiceStarter {
  /** For the progress line, e.g. `docker compose`. */
  readonly how: string;
  /** Whether this way exists on this machine (an engine answers, we are root, …). Default: it does. */
  available?(): Promise<boolean>;
  /** Starts it and resolves when it answers; resolves to how to stop it, where that is ours to do. */
  start(signal: AbortSignal): Promise<(() => Promise<void>) | void>;
}

/** One row of the table of what the suites need beside Node. */
export interface TestService {
  readonly name: string;
  /** Environment variable that names one to use as it is; nothing is started then. */
  readonly env: string;
  /** Address that is used, and started, when the variable is not set. */
  readonly address: string;
  /** Resolves to `undefined` when the service at `address` answers, otherwise to what is wrong. */
  probe(address: string): Promise<string | undefined>;
  /** Ways to start it at `address`, tried in order. */
  readonly starters: readonly ServiceStarter[];
}

/** What happens when a service cannot be had: `all` is a failure, `auto` skips the suites that need it. */
export type ServicePolicy = 'all' | 'auto';

/** The table: one entry for each service. */
export const services: readonly TestService[] = [
  python('python', 'HUB_TEST_PYTHON', pythonVenv('.venv', 'requirements.txt')),
  python('python-mlflow2', 'HUB_TEST_PYTHON_MLFLOW2', pythonVenv('.venv-mlflow2', 'requirements-mlflow2.txt')),
  {
    name: 'postgres',
    env: 'HUB_TEST_POSTGRES',
    address: postgres.address,
    probe: (address) => postgres.probe(address),
    starters: [{ how: 'Debian package', start: (signal) => postgres.start(signal) }],
  },
  {
    name: 'rabbitmq',
    env: 'HUB_TEST_RABBITMQ',
    address: rabbitmq.address,
    probe: (address) => rabbitmq.probe(address),
    starters: [{ how: 'Debian package', start: (signal) => rabbitmq.start(signal) }],
  },
  {
    name: 'redis',
    env: 'HUB_TEST_REDIS',
    address: redis.address,
    probe: (address) => redis.probe(address),
    starters: [{ how: 'Debian package', start: (signal) => redis.start(signal) }],
  },
];

function python(name: string, env: string, venv: PythonVenv): TestService {
  return {
    name,
    env,
    address: venv.interpreter,
    probe: (address) => venv.probe(address),
    starters: [{ how: 'Python venv', start: (signal) => venv.create(signal) }],
  };
}

/** The policy named by `HUB_TEST_SERVICES`, or `fallback`. */
export function servicePolicy(fallback: ServicePolicy): ServicePolicy {
  const value = process.env['HUB_TEST_SERVICES'] ?? fallback;
  if (value === 'all' || value === 'auto') return value;
  throw new Error(`HUB_TEST_SERVICES has to be "all" or "auto", not ${JSON.stringify(value)}.`);
}

/** A service that can be used, or the reason why not. */
export type ServiceCheck = { address: string; problem?: undefined } | { address?: undefined; problem: string };

/** Looks whether a service answers; starts nothing. */
export async function checkService(service: TestService): Promise<ServiceCheck> {
  const address = process.env[service.env] || service.address;
  const problem = await service.probe(address);
  return problem === undefined ? { address } : { problem };
}

/**
 * Makes sure that a service answers: as it is, or started. One that the environment variable names is never started.
 * @param progress gets one line when something is started
 */
export async function provideService(
  service: TestService,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<{ check: ServiceCheck; stop?: () => Promise<void> }> {
  const first = await checkService(service);
  if (first.problem === undefined || process.env[service.env]) return { check: first };
  const tried: string[] = [];
  for (const starter of service.starters) {
    if (starter.available !== undefined && !(await starter.available())) continue;
    progress(`${service.name}: starting it by ${starter.how}`);
    try {
      const stop = await starter.start(signal);
      const check = await checkService(service);
      if (check.problem === undefined) return stop === undefined ? { check } : { check, stop };
      await stop?.();
      tried.push(`${starter.how}: ${check.problem}`);
    } catch (error) {
      tried.push(`${starter.how}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { check: { problem: tried.length > 0 ? tried.join('; ') : first.problem } };
}
