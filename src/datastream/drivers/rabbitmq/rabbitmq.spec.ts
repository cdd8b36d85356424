import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { rabbitTargets } from '../../../../test/support/rabbit-contract.js';
import { datastreamContract } from '../../datastream.contract.js';

for (const target of rabbitTargets) {
  describe.skipIf(target.isMissing)(`on ${target.name}`, () => {
    beforeAll(() => target.start());
    afterAll(() => target.stop());
    datastreamContract({ describe, it, beforeEach, afterEach }, 'rabbitmq', target.harness);
  });
}
