import assert from 'node:assert/strict';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { Message } from '../datastream.types.js';
import { RejectMessage } from '../reject-message.js';
import { numbers, workedOff } from './fixtures.js';

/** Handlers that say that no retry can help. */
export function rejectContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('RejectMessage', () => {
    const subject = contractSubject(runner, harness);
    const retry = { attempts: 3, delay: 20 };
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const settled = (deadLetters: number): Promise<void> => workedOff(subject.plugin, deadLetters);
    const letters = async (): Promise<unknown[]> => {
      const all = await subject.plugin.peekDeadLetters('orders');
      return all
        .map(({ payload, reason, detail, attempt }) => [payload, reason, detail, attempt])
        .toSorted((a, b) => Number(a[0]) - Number(b[0]));
    };

    runner.it('makes a dead letter at once, without retry, with the words of the handler', async () => {
      const { plugin } = subject;
      const seen: unknown[] = [];
      const handler = ({ payload }: Message): void => {
        seen.push(payload);
        if (payload === 1) throw new RejectMessage('no such customer');
      };
      await plugin.subscribe('orders', handler, { retry });
      await plugin.sendBatch('orders', numbers(0, 3));
      await settled(1);
      assert.deepEqual(seen, [0, 1, 2]);
      assert.deepEqual(await letters(), [[1, 'rejected', 'no such customer', 1]]);
    });

    runner.it('ends the retries of a message that failed before', async () => {
      const { plugin } = subject;
      const handler = async ({ attempt }: Message): Promise<void> => {
        await Promise.resolve();
        throw attempt === 1 ? new Error('not yet') : new RejectMessage('never');
      };
      await plugin.subscribe('orders', handler, { retry });
      await plugin.sendData('orders', 1);
      await settled(1);
      assert.deepEqual(await letters(), [[1, 'rejected', 'never', 2]]);
    });

    runner.it('of another copy of the package is known as well', async () => {
      const { plugin } = subject;
      const foreign = Object.assign(new Error('of another copy'), {
        [Symbol.for('nestjs-experiment-hub.RejectMessage')]: true,
      });
      const handler = async (): Promise<void> => Promise.reject(foreign);
      await plugin.subscribe('orders', handler, { retry });
      await plugin.sendData('orders', 1);
      await settled(1);
      assert.deepEqual(await letters(), [[1, 'rejected', 'of another copy', 1]]);
    });

    runner.it('in a batch handler: all messages of the batch are dead letters', async () => {
      const { plugin } = subject;
      const handler = (): void => {
        throw new RejectMessage('not our orders');
      };
      await plugin.subscribeBatch('orders', handler, { size: 3, maxWait: 5_000, retry });
      await plugin.sendBatch('orders', numbers(0, 3));
      await settled(3);
      assert.deepEqual(
        await letters(),
        [0, 1, 2].map((payload) => [payload, 'rejected', 'not our orders', 1]),
      );
    });

    runner.it('in a batch handler with messageIds: the others are retried', async () => {
      const { plugin } = subject;
      const attempts: [payload: unknown, attempt: number][] = [];
      const handler = (messages: Message[]): void => {
        attempts.push(...messages.map(({ payload, attempt }): [unknown, number] => [payload, attempt]));
        if (messages.some(({ payload }) => payload === 1)) {
          throw new RejectMessage('of no use', { messageIds: ['m-1', 'not in the batch'] });
        }
      };
      await plugin.sendBatch('orders', named(3));
      await plugin.subscribeBatch('orders', handler, { size: 3, maxWait: 500, retry });
      await settled(1);
      assert.deepEqual(
        attempts.toSorted((a, b) => a[1] - b[1] || Number(a[0]) - Number(b[0])),
        [0, 1, 2].map((payload) => [payload, 1]).concat([0, 2].map((payload) => [payload, 2])),
      );
      assert.deepEqual(await letters(), [[1, 'rejected', 'of no use', 1]]);
    });

    runner.it(
      'in a batch handler with messageIds: others that have no attempt left are dead letters as failed',
      async () => {
        const { plugin } = subject;
        const handler = (): void => {
          throw new RejectMessage('of no use', { messageIds: ['m-1'] });
        };
        await plugin.subscribeBatch('orders', handler, { size: 2, maxWait: 5_000 });
        await plugin.sendBatch('orders', named(2));
        await settled(2);
        assert.deepEqual(await letters(), [
          [0, 'failed', 'of no use', 1],
          [1, 'rejected', 'of no use', 1],
        ]);
      },
    );

    runner.it("in a batch handler with messageIds and others: 'ack': the others are done", async () => {
      const { plugin } = subject;
      let calls = 0;
      const handler = (): void => {
        calls += 1;
        throw new RejectMessage('of no use', { messageIds: ['m-0', 'm-2'], others: 'ack' });
      };
      await plugin.subscribeBatch('orders', handler, { size: 3, maxWait: 5_000, retry });
      await plugin.sendBatch('orders', named(3));
      await settled(2);
      assert.equal(calls, 1);
      assert.deepEqual(
        await letters(),
        [0, 2].map((payload) => [payload, 'rejected', 'of no use', 1]),
      );
    });

    runner.it('redrive brings a rejected message back', async () => {
      const { plugin } = subject;
      let known = false;
      const handler = (): void => {
        if (!known) throw new RejectMessage('no such customer');
      };
      await plugin.subscribe('orders', handler);
      await plugin.sendData('orders', 1);
      await settled(1);
      known = true;
      assert.equal(await plugin.redriveDeadLetters('orders'), 1);
      await settled(0);
    });

    runner.it('a schema that is no Standard Schema is INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      const nothing = (): void => undefined;
      for (const wrong of [{}, 'schema', { '~standard': { version: 2 } }, { '~standard': { version: 1 } }]) {
        const schema = wrong as never;
        await rejectsWith(() => plugin.subscribe('orders', nothing, { schema }), 'INVALID_ARGUMENT');
        await rejectsWith(() => plugin.subscribeBatch('orders', nothing, { size: 1, schema }), 'INVALID_ARGUMENT');
      }
      assert.equal((await plugin.queueInfo('orders')).consumers, 0);
    });
  });
}

function named(count: number): { payload: number; messageId: string }[] {
  return Array.from({ length: count }, (_, payload) => ({ payload, messageId: `m-${payload}` }));
}
