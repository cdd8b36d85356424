import { checkService, servicePolicy, services } from './services.js';

/**
 * Runs once before the suites: looks which services answer (starts none, that is for test/run.mjs) and hands their
 * addresses to the tests by their environment variables. A suite that needs one asks for the variable.
 */
export default async function setup(): Promise<void> {
  const policy = servicePolicy('auto');
  for (const service of services) {
    const { address, problem } = await checkService(service);
    if (problem === undefined) {
      process.env[service.env] = address;
      continue;
    }
    if (policy === 'all') throw new Error(`${service.name} is needed (HUB_TEST_SERVICES=all): ${problem}`);
    delete process.env[service.env];
    console.warn(`skip: suites that need ${service.name}, because ${problem}. npm test brings it up.`);
  }
}
