import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/datastream/datastream.types.js';
import type { PredictionMessage } from '../../src/experiment/index.js';
import { Stack, toy, toyTasks } from './stack.js';

const streams = { input: 'rows', output: 'predictions', retry: { attempts: 2, delay: 10 } };

describe('prediction stream', () => {
  let stack: Stack;
  afterEach(async () => stack.close());

  async function outputs(count: number): Promise<Message<PredictionMessage>[]> {
    const found: Message<PredictionMessage>[] = [];
    for (let turn = 0; turn < 40 && found.length < count; turn++) {
      for (const delivery of await stack.stream.pullBatch('predictions', { max: 100, wait: 250 })) {
        found.push(delivery as unknown as Message<PredictionMessage>);
        await delivery.ack();
      }
    }
    return found;
  }

  it('lets rows wait for the first champion and then predicts every one, with their ids', async () => {
    stack = await Stack.open();
    const hub = stack.hub(toy({ streams }));
    await hub.startConsumers();
    await stack.stream.sendBatch(
      'rows',
      Array.from({ length: 150 }, (_, row) => ({
        payload: row,
        messageId: `m${row}`,
        correlationId: `c${row}`,
        headers: { row },
      })),
    );
    expect((await hub.status('toy')).consumer).toBe('waiting');
    await (
      await hub.train('toy')
    ).done;
    const found = await outputs(150);
    expect(new Set(found.map(({ messageId }) => messageId)).size).toBe(150);
    for (const { messageId, correlationId, headers, payload } of found) {
      const row = Number(messageId.slice(1));
      expect({ correlationId, headers }).toEqual({ correlationId: `c${row}`, headers: { row } });
      expect(payload).toMatchObject({ experiment: 'toy', model: 'toy', version: '1', prediction: row + 1 });
    }
    await expect.poll(() => stack.stream.queueInfo('rows')).toMatchObject({ ready: 0, unacked: 0, deadLetters: 0 });
    expect((await hub.status('toy')).consumer).toBe('running');
  });

  it('dead-letters the rows that cannot be predicted, and only those', async () => {
    stack = await Stack.open();
    const hub = stack.hub(toy({ streams }));
    await (
      await hub.train('toy')
    ).done;
    await hub.startConsumers();
    await stack.stream.sendBatch('rows', [
      { payload: 1 },
      { payload: 'no number', messageId: 'bad' },
      { payload: 2 },
      { payload: new Uint8Array([1, 2]), messageId: 'bytes' },
      { payload: 3 },
    ]);
    expect((await outputs(3)).map(({ payload }) => payload.prediction).sort()).toEqual([2, 3, 4]);
    await expect.poll(async () => (await stack.stream.queueInfo('rows')).deadLetters, { timeout: 10_000 }).toBe(2);
    const dead = await stack.stream.peekDeadLetters('rows');
    expect(dead.map(({ messageId }) => messageId).sort()).toEqual(['bad', 'bytes']);
    expect(dead.find(({ messageId }) => messageId === 'bad')?.detail).toContain('a row has to be a number');
    expect(await stack.stream.queueInfo('rows')).toMatchObject({ ready: 0, unacked: 0 });
  });

  it('keeps a row until its prediction is confirmed', async () => {
    stack = await Stack.open();
    await stack.stream.createQueue('predictions', { maxLength: 1 });
    const hub = stack.hub(toy({ streams: { ...streams, retry: { attempts: 1 } } }));
    await (
      await hub.train('toy')
    ).done;
    await hub.startConsumers();
    await stack.stream.sendBatch('rows', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
    // The output queue holds one at a time: the others are refused, are held and come through later.
    expect((await outputs(3)).map(({ payload }) => payload.prediction).sort()).toEqual([2, 3, 4]);
    expect((await stack.stream.queueInfo('rows')).deadLetters).toBe(0);
  });

  it('holds rows while another task occupies the only worker', async () => {
    stack = await Stack.open({}, { concurrency: 1 });
    const hub = stack.hub(toy({ streams: { ...streams, retry: { attempts: 1 } }, timeouts: { predict: 200 } }));
    await (
      await hub.train('toy')
    ).done;
    let release: (() => void) | undefined;
    const occupied = new Promise<void>((resolve) => (release = resolve));
    await stack.tasks.registerTask('long', () => occupied.then(() => null));
    const long = await stack.tasks.submitTask('long');
    await expect.poll(async () => (await stack.tasks.getStatus(long)).state).toBe('STARTED');
    await hub.startConsumers();
    await stack.stream.sendBatch('rows', [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
    // Several times the deadline of a prediction.
    await setTimeout(1_200);
    expect(await stack.stream.queueInfo('rows')).toMatchObject({ unacked: 3, deadLetters: 0 });
    release?.();
    expect((await outputs(3)).map(({ payload }) => payload.prediction).sort()).toEqual([2, 3, 4]);
    await expect.poll(() => stack.stream.queueInfo('rows')).toMatchObject({ ready: 0, unacked: 0, deadLetters: 0 });
  });

  it('answers TIMEOUT, not TASK_REVOKED, for a prediction that never got its turn', async () => {
    stack = await Stack.open();
    const hub = stack.hub(toy({ tasks: { train: 'toy.train', predict: 'nobody.has.this' } }));
    await (
      await hub.train('toy')
    ).done;
    for (let turn = 0; turn < 5; turn++) {
      await expect(hub.predict('toy', [1], { timeout: 20 + turn })).rejects.toMatchObject({
        code: 'TIMEOUT',
        details: { state: 'PENDING' },
      });
    }
  });

  it('gives a row back, with all its attempts, whose prediction takes longer than closing waits', async () => {
    let begun = 0;
    stack = await Stack.open({
      predict: ({ signal }) => {
        begun += 1;
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      },
    });
    const hub = stack.hub(toy({ streams: { ...streams, retry: { attempts: 1 } } }));
    await (
      await hub.train('toy')
    ).done;
    await hub.startConsumers();
    await stack.stream.sendData('rows', 1);
    await expect.poll(() => begun).toBe(1);
    const since = Date.now();
    await hub.stop();
    expect(Date.now() - since).toBeLessThan(10_000);
    expect(await stack.stream.queueInfo('rows')).toMatchObject({ ready: 1, unacked: 0, deadLetters: 0 });
  }, 20_000);

  it.each([1, 3])('has as many predict tasks in flight as its concurrency says: %i', async (concurrency) => {
    let running = 0;
    let most = 0;
    stack = await Stack.open({
      predict: async (context) => {
        most = Math.max(most, (running += 1));
        await setTimeout(50);
        running -= 1;
        return toyTasks.predict(context);
      },
    });
    const hub = stack.hub(toy({ streams: { ...streams, batchSize: 2, concurrency } }));
    await (
      await hub.train('toy')
    ).done;
    await hub.startConsumers();
    await stack.stream.sendBatch(
      'rows',
      Array.from({ length: 24 }, (_unused, payload) => ({ payload })),
    );
    expect(new Set((await outputs(24)).map(({ payload }) => payload.prediction)).size).toBe(24);
    expect(most).toBe(concurrency);
  });

  it('gives the rest back when it stops', async () => {
    stack = await Stack.open();
    const hub = stack.hub(toy({ streams }));
    await (
      await hub.train('toy')
    ).done;
    await hub.startConsumers();
    await hub.stop();
    await stack.stream.sendData('rows', 1);
    expect(await stack.stream.queueInfo('rows')).toMatchObject({ ready: 1, consumers: 0 });
    expect((await hub.status('toy')).consumer).toBe('off');
    await expect(hub.train('toy')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
