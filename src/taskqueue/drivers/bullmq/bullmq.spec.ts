import { afterEach, beforeEach, describe, it } from 'vitest';
import { BullMQContractTarget } from '../../../../test/support/bullmq-contract.js';
import { taskqueueContract } from '../../taskqueue.contract.js';

const target = new BullMQContractTarget();

describe.skipIf(target.isMissing)(`on Redis${target.note}`, () => {
  taskqueueContract({ describe, it, beforeEach, afterEach }, 'bullmq', target.harness);
});
