import assert from 'node:assert/strict';
import { contractSubject, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { StandardSchemaResult, StandardSchemaV1 } from '../../core/standard-schema.js';
import type { DataStreamPlugin } from '../datastream.plugin.js';
import type { Payload } from '../datastream.types.js';
import { workedOff } from './fixtures.js';

/** Subscriptions whose payloads are validated. */
export function schemaContract(runner: ContractRunner, harness: ContractHarness<DataStreamPlugin>): void {
  runner.describe('payload validation', () => {
    const subject = contractSubject(runner, harness);
    const retry = { attempts: 3, delay: 20 };
    runner.beforeEach(async () => {
      await subject.plugin.createQueue('orders');
    });
    const settled = (deadLetters: number): Promise<void> => workedOff(subject.plugin, deadLetters);
    const send = (...payloads: Payload[]): Promise<string[]> =>
      subject.plugin.sendBatch(
        'orders',
        payloads.map((payload) => ({ payload })),
      );
    const letters = async (): Promise<unknown[]> => {
      const all = await subject.plugin.peekDeadLetters('orders');
      return all.map(({ payload, reason, detail, attempt }) => ({ payload, reason, detail, attempt }));
    };
    const misfit = (payload: Payload): object => ({
      payload,
      reason: 'rejected',
      detail: 'the payload does not fit its schema: order.lines.0: has to be digits',
      attempt: 1,
    });

    runner.it('the handler gets the value that the schema returns', async () => {
      const { plugin } = subject;
      const seen: number[] = [];
      await plugin.subscribe('orders', ({ payload }) => void seen.push(payload.amount), { schema: amounts });
      await send('7', '8');
      await settled(0);
      assert.deepEqual(seen, [7, 8]);
    });

    runner.it('what does not fit is a dead letter without retry, with path and message of the issues', async () => {
      const { plugin } = subject;
      const seen: number[] = [];
      await plugin.subscribe('orders', ({ payload }) => void seen.push(payload.amount), { schema: amounts, retry });
      await send('seven', '8', [1]);
      await settled(2);
      assert.deepEqual(seen, [8]);
      assert.deepEqual(await letters(), [misfit('seven'), misfit([1])]);
    });

    runner.it('a schema may be asynchronous', async () => {
      const { plugin } = subject;
      const seen: number[] = [];
      const schema = schemaOf(async (value) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return digits(value);
      });
      await plugin.subscribe('orders', ({ payload }) => void seen.push(payload.amount), { schema });
      await send('seven', '8');
      await settled(1);
      assert.deepEqual(seen, [8]);
      assert.deepEqual(await letters(), [misfit('seven')]);
    });

    runner.it('a retry validates the payload as it was sent', async () => {
      const { plugin } = subject;
      const seen: unknown[] = [];
      const validated: unknown[] = [];
      const schema = schemaOf((value) => {
        validated.push(value);
        return digits(value);
      });
      await plugin.subscribe(
        'orders',
        ({ payload, attempt }) => {
          seen.push({ ...payload });
          payload.amount = 0;
          if (attempt === 1) throw new Error('not yet');
        },
        { schema, retry },
      );
      await send('7');
      await settled(0);
      assert.deepEqual(validated, ['7', '7']);
      assert.deepEqual(seen, [{ amount: 7 }, { amount: 7 }]);
    });

    runner.it('a schema that throws counts as a handler that throws', async () => {
      const { plugin } = subject;
      let calls = 0;
      const seen: number[] = [];
      const schema = schemaOf((value) => {
        calls += 1;
        if (value === 'always' || calls === 1) throw new Error('the catalogue is down');
        return digits(value);
      });
      await plugin.subscribe('orders', ({ payload }) => void seen.push(payload.amount), { schema, retry });
      await send('7');
      await settled(0);
      assert.deepEqual([calls, seen], [2, [7]]);
      await send('always');
      await settled(1);
      assert.deepEqual(await letters(), [
        { payload: 'always', reason: 'failed', detail: 'the catalogue is down', attempt: 3 },
      ]);
    });

    runner.it('of a batch only those that do not fit are dead letters; the others are handed over', async () => {
      const { plugin } = subject;
      const batches: number[][] = [];
      await plugin.subscribeBatch(
        'orders',
        (messages) => void batches.push(messages.map(({ payload }) => payload.amount)),
        { size: 4, maxWait: 5_000, schema: amounts, retry },
      );
      await send('1', 'two', '3', 'four');
      await settled(2);
      assert.deepEqual(batches, [[1, 3]]);
      assert.deepEqual(await letters(), [misfit('two'), misfit('four')]);
    });

    runner.it('of a batch that fails, those that do not fit are rejected and the others retried', async () => {
      const { plugin } = subject;
      const batches: number[][] = [];
      await send('one', '2');
      await plugin.subscribeBatch(
        'orders',
        (messages) => {
          batches.push(messages.map(({ payload }) => payload.amount));
          if (batches.length === 1) throw new Error('database is down');
        },
        { size: 2, maxWait: 500, schema: amounts, retry },
      );
      await settled(1);
      assert.deepEqual(batches, [[2], [2]]);
      assert.deepEqual(await letters(), [misfit('one')]);
    });

    runner.it('a batch of which nothing fits does not reach the handler', async () => {
      const { plugin } = subject;
      let calls = 0;
      await plugin.subscribeBatch('orders', () => void (calls += 1), { size: 2, maxWait: 5_000, schema: amounts });
      await send('one', 'two');
      await settled(2);
      assert.equal(calls, 0);
    });

    runner.it('the detail of many issues is short', async () => {
      const { plugin } = subject;
      const issues = Array.from({ length: 1_000 }, (_, index) => ({ path: ['lines', index], message: 'is missing' }));
      await plugin.subscribe('orders', () => undefined, { schema: schemaOf(() => ({ issues })) });
      await send('7');
      await settled(1);
      const [{ detail } = assert.fail('nothing')] = await plugin.peekDeadLetters('orders');
      assert.ok(detail.includes('lines.0: is missing'), detail);
      assert.ok(detail.length <= 500, `${detail.length} characters`);
    });
  });
}

type Amount = { amount: number };

/** Text of digits becomes an amount. */
const amounts = schemaOf(digits);

function digits(value: unknown): StandardSchemaResult<Amount> {
  if (typeof value === 'string' && /^\d+$/.test(value)) return { value: { amount: Number(value) } };
  return { issues: [{ message: 'has to be digits', path: ['order', { key: 'lines' }, 0] }] };
}

function schemaOf<T>(validate: StandardSchemaV1<unknown, T>['~standard']['validate']): StandardSchemaV1<unknown, T> {
  return { '~standard': { version: 1, vendor: 'contract', validate } };
}
