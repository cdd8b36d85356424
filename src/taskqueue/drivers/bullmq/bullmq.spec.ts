import { afterEach, beforeEach, describe, it } from 'vitest';
import { bullmqTarget } from '../../../../test/support/bullmq-contract.js';
import { taskqueueContract } from '../../taskqueue.contract.js';

describe.skipIf(bullmqTarget.isMissing)(`on Redis${bullmqTarget.note}`, () => {
  taskqueueContract({ describe, it, beforeEach, afterEach }, 'bullmq', bullmqTarget.harness);
});
