import { afterEach, describe, expect, it } from 'vitest';
import { checkService, provideService, servicePolicy, type ServiceStarter, type TestService } from './services.js';

const signal = new AbortController().signal;
const starts: string[] = [];
let running: string | undefined;

function service(starters: ServiceStarter[]): TestService {
  return {
    name: 'toy',
    env: 'HUB_TEST_TOY',
    address: 'default',
    probe: async (address) => (running === address ? undefined : `nothing answers at ${address}`),
    starters,
  };
}

function starter(how: string, start: () => void, available = true): ServiceStarter {
  return {
    how,
    available: async () => available,
    start: async () => {
      starts.push(how);
      start();
    },
  };
}

afterEach(() => {
  running = undefined;
  starts.length = 0;
  delete process.env['HUB_TEST_TOY'];
});

describe('services of the suites', () => {
  const works = starter('second', () => (running = 'default'));
  const fails = starter('first', () => {
    throw new Error('no engine');
  });

  it('leaves alone what runs already', async () => {
    running = 'default';
    expect((await provideService(service([works]), signal, () => undefined)).check).toEqual({ address: 'default' });
    expect(starts).toEqual([]);
  });

  it('tries the ways to start it in order, and skips those that this machine has not', async () => {
    const lines: string[] = [];
    const missing = starter('missing', () => undefined, false);
    const { check } = await provideService(service([missing, fails, works]), signal, (line) => lines.push(line));
    expect(check).toEqual({ address: 'default' });
    expect(starts).toEqual(['first', 'second']);
    expect(lines).toEqual(['toy: starting it by first', 'toy: starting it by second']);
  });

  it('says why none of them worked', async () => {
    const silent = starter('silent', () => undefined);
    const { check } = await provideService(service([fails, silent]), signal, () => undefined);
    expect(check.problem).toBe('first: no engine; silent: nothing answers at default');
  });

  it('starts nothing in place of what the environment names', async () => {
    process.env['HUB_TEST_TOY'] = 'elsewhere';
    expect((await provideService(service([works]), signal, () => undefined)).check.problem).toContain('elsewhere');
    running = 'elsewhere';
    expect(await checkService(service([works]))).toEqual({ address: 'elsewhere' });
    expect(starts).toEqual([]);
  });

  it('knows two policies', () => {
    const before = process.env['HUB_TEST_SERVICES'];
    try {
      process.env['HUB_TEST_SERVICES'] = 'some';
      expect(() => servicePolicy('all')).toThrow('HUB_TEST_SERVICES');
      delete process.env['HUB_TEST_SERVICES'];
      expect(servicePolicy('all')).toBe('all');
    } finally {
      if (before !== undefined) process.env['HUB_TEST_SERVICES'] = before;
    }
  });
});
