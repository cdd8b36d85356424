import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { celeryTargets } from '../../../../test/support/celery-contract.js';
import { taskqueueContract } from '../../taskqueue.contract.js';

for (const target of celeryTargets) {
  describe.skipIf(target.isMissing)(`celery over ${target.name}`, { timeout: 40_000 }, () => {
    beforeAll(() => target.start());
    afterAll(() => target.stop());

    taskqueueContract({ describe, it, beforeEach, afterEach }, target.name, target.harness);
  });
}
