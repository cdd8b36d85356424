import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type { Delivery, SubscribeOptions, Subscription } from '../../src/datastream/datastream.types.js';
import { sleep } from '../../src/core/deadline.js';
import { consumers } from './datastream-consumers.js';
import { pretend, replace, type Mutant } from './mutant.js';

/** Mutants of pulling, settling and subscribing. */
export const consumingMutants: Mutant<DataStreamPlugin>[] = [
  {
    name: 'acks a pulled message as it hands it over',
    caughtBy: /^pulling and settling > a message in hand is not delivered to another; ack removes it$/,
    mutate: (plugin) =>
      replace(plugin, 'pullData', (original) => (queue, options) => original(queue, { ...options, ack: 'auto' })),
  },
  {
    name: 'delivers a message in hand to another',
    caughtBy: /^pulling and settling > a message in hand is not delivered to another/,
    mutate(plugin) {
      let last: Delivery | null = null;
      replace(
        plugin,
        'pullData',
        (original) =>
          async (...args) =>
            (last = (await original(...args)) ?? last),
      );
    },
  },
  {
    name: 'loses what is requeued',
    caughtBy: /^pulling and settling > requeue: it comes again as redelivered/,
    mutate: (plugin) => changeDeliveries(plugin, (delivery) => replace(delivery, 'requeue', () => delivery.ack)),
  },
  {
    name: 'redelivers without counting attempts',
    caughtBy: /^pulling and settling > requeue: it comes again as redelivered, with the next attempt$/,
    mutate: (plugin) => changeDeliveries(plugin, (delivery) => pretend(delivery, 'attempt', () => 1)),
  },
  {
    name: 'does not mark redelivered messages',
    caughtBy: /^pulling and settling > requeue: it comes again as redelivered/,
    mutate: (plugin) => changeDeliveries(plugin, (delivery) => pretend(delivery, 'redelivered', () => false)),
  },
  {
    name: 'ignores the delay of a requeue',
    caughtBy: /^pulling and settling > requeue with a delay: it comes again after the delay, not before$/,
    mutate: (plugin) =>
      changeDeliveries(plugin, (delivery) => replace(delivery, 'requeue', (original) => () => original())),
  },
  {
    name: 'never makes dead letters',
    caughtBy: /^pulling and settling > reject: it becomes a dead letter with the words of the consumer$/,
    mutate: (plugin) => changeDeliveries(plugin, (delivery) => replace(delivery, 'reject', () => delivery.ack)),
  },
  {
    name: 'settles the new delivery by an old handle',
    caughtBy: /^pulling and settling > the first settlement counts and later ones have no effect$/,
    mutate(plugin) {
      const newest = new Map<string, () => Promise<void>>();
      changeDeliveries(plugin, (delivery) => {
        newest.set(delivery.messageId, delivery.ack.bind(delivery));
        replace(delivery, 'ack', () => async () => newest.get(delivery.messageId)?.());
      });
    },
  },
  {
    name: 'delivers past the deliveryLimit',
    caughtBy: /^pulling and settling > after deliveryLimit deliveries it becomes a dead letter/,
    mutate: (plugin) =>
      replace(plugin, 'createQueue', (original) => (queue, { deliveryLimit: _deliveryLimit, ...options } = {}) => {
        return original(queue, options);
      }),
  },
  {
    name: 'acks before processing',
    caughtBy: /^subscribe > a handler that throws: by default one attempt/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options) => {
        const detached: typeof handler = (message, context) => {
          void Promise.resolve()
            .then(() => handler(message, context))
            .catch(() => undefined);
        };
        return original(queue, detached, options);
      }),
  },
  {
    name: 'handles each message twice',
    caughtBy: /^subscribe > hands over what is there and what comes, in order/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options) => {
        const twice: typeof handler = async (message, context) => {
          await handler(message, context);
          await handler(message, context);
        };
        return original(queue, twice, options);
      }),
  },
  {
    name: 'reorders within a subscription of concurrency 1',
    caughtBy: /^subscribe > hands over what is there and what comes, in order/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options) => {
        const uneven: typeof handler = async (message, context) => {
          if (Number(message.payload) % 2 === 0) await sleep(10);
          await handler(message, context);
        };
        return original(queue, uneven, { ...options, concurrency: 2 });
      }),
  },
  {
    name: 'ignores concurrency',
    caughtBy: /^subscribe > concurrency is how many handlers run/,
    mutate: (plugin) => changeSubscribe(plugin, ({ concurrency: _concurrency, ...options }) => options),
  },
  {
    name: 'ignores prefetch',
    caughtBy: /^subscribe > concurrency is how many handlers run, and prefetch how many messages are held$/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribe', (original) => async (queue, handler, options = {}) => {
        // What a consumer without a prefetch limit does: it holds all that is there before it works on the first.
        const held = await plugin.pullBatch(queue, { max: 1_000 });
        const context = { signal: new AbortController().signal };
        const lane = async (): Promise<void> => {
          for (let next = held.shift(); next !== undefined; next = held.shift()) {
            await handler(next, context);
            await next.ack();
          }
        };
        void Promise.all(Array.from({ length: options.concurrency ?? 1 }, lane)).catch(() => undefined);
        return original(queue, handler, options);
      }),
  },
  {
    name: 'never retries',
    caughtBy: /^subscribe > retry: delivered again after the delay/,
    mutate: (plugin) => changeSubscribe(plugin, ({ retry: _retry, ...options }) => options),
  },
  {
    name: 'retries at once',
    caughtBy: /^subscribe > retry: delivered again after the delay/,
    mutate: (plugin) => changeSubscribe(plugin, (options) => ({ ...options, retry: { ...options.retry, delay: 0 } })),
  },
  {
    name: 'retries once too often',
    caughtBy: /^subscribe > retry: after the last attempt it is a dead letter/,
    mutate: (plugin) =>
      changeSubscribe(plugin, (options) => ({
        ...options,
        retry: { ...options.retry, attempts: (options.retry?.attempts ?? 1) + 1 },
      })),
  },
  {
    name: 'ignores pause',
    caughtBy: /^subscribe > pause takes nothing more, resume goes on$/,
    mutate: (plugin) =>
      changeSubscription(plugin, (subscription) => {
        let paused = false;
        replace(subscription, 'pause', () => async () => void (paused = true));
        replace(subscription, 'resume', () => async () => void (paused = false));
        pretend(subscription, 'state', () => (paused ? 'paused' : 'running'));
      }),
  },
  {
    name: 'closes without waiting for its handlers',
    caughtBy: /^subscribe > close waits for the handler/,
    mutate: (plugin) =>
      changeSubscription(plugin, (subscription) =>
        replace(subscription, 'close', (original) => async () => void original()),
      ),
  },
  {
    name: 'takes messages while it drains',
    caughtBy: /^drain, shutdown and restart > drain: consumers take nothing more/,
    mutate: (plugin) => replace(plugin, 'drain', () => async () => undefined),
  },
  {
    name: 'makes batches that are too large',
    caughtBy: /^subscribeBatch > by size: a full batch comes at once, in order, never larger$/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, options) => {
        return original(queue, handler, { ...options, size: options.size * 2 });
      }),
  },
  {
    name: 'holds a batch back until it is full',
    caughtBy: /^subscribeBatch > by time: the wait counts from the first message/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, options) => {
        return original(queue, handler, { ...options, maxWait: 600_000 });
      }),
  },
];

function changeDeliveries(plugin: DataStreamPlugin, change: (delivery: Delivery) => void): void {
  replace(plugin, 'pullData', (original) => async (...args) => {
    const delivery = await original(...args);
    if (delivery !== null) change(delivery);
    return delivery;
  });
}

function changeSubscribe(plugin: DataStreamPlugin, change: (options: SubscribeOptions) => SubscribeOptions): void {
  replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options = {}) => {
    return original(queue, handler, change(options));
  });
}

function changeSubscription(plugin: DataStreamPlugin, change: (subscription: Subscription) => void): void {
  replace(consumers(plugin), 'subscribe', (original) => async (...args) => {
    const subscription = await original(...args);
    change(subscription);
    return subscription;
  });
}
