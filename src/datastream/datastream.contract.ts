import { lifeContract, type ContractHarness, type ContractRunner } from '../core/contract.js';
import { batchContract } from './contract/batch.contract.js';
import { deadLetterContract } from './contract/dead-letter.contract.js';
import { streamLifeContract } from './contract/life.contract.js';
import { pullContract } from './contract/pull.contract.js';
import { queueContract } from './contract/queue.contract.js';
import { rejectContract } from './contract/reject.contract.js';
import { schemaContract } from './contract/schema.contract.js';
import { sendContract } from './contract/send.contract.js';
import { subscribeContract } from './contract/subscribe.contract.js';
import type { DataStreamPlugin } from './datastream.plugin.js';

export type { ContractHarness, ContractRunner } from '../core/contract.js';

/**
 * The test suite that every DataStream driver passes. Give it your runner (`{ describe, it, beforeEach, afterEach }` of
 * Vitest, Jest, Mocha or `node:test`), a name for the suite, and how to get plugins. Each test takes less than 20 s.
 */
export function datastreamContract(
  runner: ContractRunner,
  name: string,
  harness: ContractHarness<DataStreamPlugin>,
): void {
  runner.describe(`datastream contract: ${name}`, () => {
    lifeContract(runner, harness, {
      createQueue: (plugin) => plugin.createQueue('orders'),
      deleteQueue: (plugin) => plugin.deleteQueue('orders'),
      queueInfo: (plugin) => plugin.queueInfo('orders'),
      flushQueue: (plugin) => plugin.flushQueue('orders'),
      sendData: (plugin) => plugin.sendData('orders', 1),
      sendBatch: (plugin) => plugin.sendBatch('orders', [{ payload: 1 }]),
      pullData: (plugin) => plugin.pullData('orders'),
      pullBatch: (plugin) => plugin.pullBatch('orders', { max: 1 }),
      subscribe: (plugin) => plugin.subscribe('orders', () => undefined),
      subscribeBatch: (plugin) => plugin.subscribeBatch('orders', () => undefined, { size: 1 }),
      peekDeadLetters: (plugin) => plugin.peekDeadLetters('orders'),
      redriveDeadLetters: (plugin) => plugin.redriveDeadLetters('orders'),
      purgeDeadLetters: (plugin) => plugin.purgeDeadLetters('orders'),
    });
    queueContract(runner, harness);
    sendContract(runner, harness);
    pullContract(runner, harness);
    subscribeContract(runner, harness);
    batchContract(runner, harness);
    rejectContract(runner, harness);
    schemaContract(runner, harness);
    deadLetterContract(runner, harness);
    streamLifeContract(runner, harness);
  });
}
