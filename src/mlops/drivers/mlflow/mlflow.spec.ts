import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { mlflowTargets } from '../../../../test/support/mlflow-contract.js';
import { mlopsContract } from '../../mlops.contract.js';

/** How long a server may take to start, in ms. */
const START = 240_000;

for (const target of mlflowTargets) {
  describe.skipIf(target.isMissing)(`on ${target.name}`, () => {
    beforeAll(() => target.start(), START);
    afterAll(() => target.stop());
    mlopsContract({ describe, it, beforeEach, afterEach }, 'mlflow', target.harness);
  });
}
