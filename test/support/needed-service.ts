import { services } from './services.js';

/** What a suite knows about a service that it needs. */
export interface NeededService {
  /** Empty when it is missing. */
  readonly address: string;
  /** For `describe.skipIf`. */
  readonly missing: boolean;
  /** For the end of the suite's name: why it is skipped, empty when it is not. */
  readonly note: string;
}

/**
 * Looks up a service for a suite. Throws when it is missing and HUB_TEST_SERVICES is `all`.
 * @param name of its row in {@link services}
 */
export function neededService(name: string): NeededService {
  const service = services.find((row) => row.name === name);
  if (service === undefined) throw new Error(`test/support/services.ts has no row ${name}.`);
  const address = process.env[service.env] ?? '';
  if (address !== '') return { address, missing: false, note: '' };
  if (process.env['HUB_TEST_SERVICES'] === 'all') {
    throw new Error(`HUB_TEST_SERVICES=all needs ${name}: npm test brings it up, ${service.env} names another.`);
  }
  return { address, missing: true, note: ` (skipped: no ${name}; npm test brings it up)` };
}
