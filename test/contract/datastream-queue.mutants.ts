import { rm } from 'node:fs/promises';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type { Delivery, OutgoingMessage } from '../../src/datastream/datastream.types.js';
import { forgive, replace, type Mutant } from './mutant.js';

/** Mutants of sending and of what a queue keeps. */
export const queueMutants: Mutant<DataStreamPlugin>[] = [
  {
    name: 'drops the last message of a batch',
    caughtBy: /^sending > sendBatch keeps the order/,
    mutate: (plugin) =>
      replace(plugin, 'sendBatch', (original) => async (queue, messages, options) => {
        const ids = await original(queue, messages.slice(0, -1), options);
        return messages.length === 0 ? ids : [...ids, messages.at(-1)?.messageId ?? 'lost'];
      }),
  },
  {
    name: 'drops one message in fifty',
    caughtBy: /^sending > sends that are not awaited keep their order$/,
    mutate(plugin) {
      let count = 0;
      replace(plugin, 'sendData', (original) => async (...args) => {
        count += 1;
        return count % 50 === 0 ? `lost-${count}` : original(...args);
      });
    },
  },
  {
    name: 'doubles what is sent',
    caughtBy: /^sending > sends that are not awaited keep their order$/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => async (...args) => {
        void original(...args).catch(() => undefined);
        return original(...args);
      }),
  },
  {
    name: 'reorders a batch',
    caughtBy: /^sending > sendBatch keeps the order/,
    mutate: (plugin) => changeBatch(plugin, (messages) => messages.toReversed()),
  },
  {
    name: 'lets a later send overtake an earlier one',
    caughtBy: /^sending > sends that are not awaited keep their order$/,
    mutate(plugin) {
      let count = 0;
      replace(plugin, 'sendData', (original) => async (...args) => {
        if (count++ % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        return original(...args);
      });
    },
  },
  {
    name: 'loses headers',
    caughtBy: /^sending > id, headers, correlation id and time of sending arrive$/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => (queue, payload, { headers: _headers, ...options } = {}) => {
        return original(queue, payload, options);
      }),
  },
  {
    name: 'turns bytes into text',
    caughtBy: /^sending > bytes come back as bytes$/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => (queue, payload, options) => {
        const text = payload instanceof Uint8Array ? Buffer.from(payload).toString('base64') : payload;
        return original(queue, text, options);
      }),
  },
  {
    name: 'sends what its signal has given up',
    caughtBy: /^sending > a signal that has fired sends nothing$/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => (queue, payload, { signal: _signal, ...options } = {}) => {
        return original(queue, payload, options);
      }),
  },
  {
    name: 'ignores expiration',
    caughtBy: /^sending > expiration and messageTtl make dead letters/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => (queue, payload, { expiration: _expiration, ...options } = {}) => {
        return original(queue, payload, options);
      }),
  },
  {
    name: 'reverses priorities',
    caughtBy: /^sending > priority: higher first/,
    mutate: (plugin) =>
      changeBatch(plugin, (messages) =>
        messages.map((message) => ({ ...message, priority: 9 - (message.priority ?? 0) })),
      ),
  },
  {
    name: 'ignores priorities',
    caughtBy: /^sending > priority: higher first/,
    mutate: (plugin) =>
      changeBatch(plugin, (messages) => messages.map(({ priority: _priority, ...message }) => message)),
  },
  {
    name: 'lets a queue grow past its maxLength',
    caughtBy: /^sending > a full queue rejects with CONFLICT/,
    mutate: (plugin) =>
      replace(plugin, 'createQueue', (original) => (queue, { maxLength: _maxLength, ...options } = {}) => {
        return original(queue, options);
      }),
  },
  {
    name: 'makes the queue that a send names',
    caughtBy: /^queues > every call on a queue that does not exist is NOT_FOUND/,
    mutate: (plugin) =>
      replace(plugin, 'sendData', (original) => async (queue, ...rest) => {
        await plugin.createQueue(queue).catch(forgive('CONFLICT'));
        return original(queue, ...rest);
      }),
  },
  {
    name: 'takes other options for an existing queue without a word',
    caughtBy: /^queues > createQueue with other options is CONFLICT/,
    mutate: (plugin) =>
      replace(plugin, 'createQueue', (original) => async (queue, options) => {
        await original(queue, options).catch(forgive('CONFLICT'));
        return plugin.queueInfo(queue);
      }),
  },
  {
    name: 'counts wrong what it flushes',
    caughtBy: /^queues > flushQueue removes the ready messages only and says how many$/,
    mutate: (plugin) => replace(plugin, 'flushQueue', (original) => async (queue) => (await original(queue)) + 1),
  },
  {
    name: 'removes ready messages with the dead letters',
    caughtBy: /^dead letters > purge removes the dead letters only$/,
    mutate: (plugin) =>
      replace(plugin, 'purgeDeadLetters', (original) => async (queue) => {
        await plugin.flushQueue(queue);
        return original(queue);
      }),
  },
  {
    name: 'keeps the dead letters that it sends back',
    caughtBy: /^dead letters > redrive sends all of them back as new deliveries$/,
    mutate: (plugin) =>
      replace(plugin, 'redriveDeadLetters', () => async (queue) => {
        const letters = await plugin.peekDeadLetters(queue);
        for (const { payload, messageId } of letters) await plugin.sendData(queue, payload, { messageId });
        return letters.length;
      }),
  },
  {
    name: 'forgets on restart',
    caughtBy: /^drain, shutdown and restart > a durable driver has everything again after a restart$/,
    onDisk: true,
    mutate: (plugin, { dataDir }) =>
      replace(plugin, 'initialize', (original) => async () => {
        if (plugin.phase === 'new') await rm(dataDir, { recursive: true, force: true });
        await original();
      }),
  },
  {
    name: 'loses at shutdown what is in hand',
    caughtBy: /^drain, shutdown and restart > a durable driver has everything again after a restart$/,
    onDisk: true,
    mutate(plugin) {
      const held: Delivery[] = [];
      replace(plugin, 'pullData', (original) => async (...args) => {
        const delivery = await original(...args);
        if (delivery !== null) held.push(delivery);
        return delivery;
      });
      replace(plugin, 'shutdown', (original) => async () => {
        for (const delivery of held.splice(0)) await delivery.ack();
        await original();
      });
    },
  },
];

function changeBatch(
  plugin: DataStreamPlugin,
  change: (messages: readonly OutgoingMessage[]) => OutgoingMessage[],
): void {
  replace(plugin, 'sendBatch', (original) => async (queue, messages, options) => {
    return original(queue, change(messages), options);
  });
}
