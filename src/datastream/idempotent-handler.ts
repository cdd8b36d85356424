import { errorMessage } from '../core/errors.js';
import type { DataBatchHandler, DataHandler, Message, Payload } from './datastream.types.js';
import { RejectMessage } from './reject-message.js';

/**
 * Remembers which messages were handled. What is in memory or in a cache keeps duplicates rare. Only a store that writes
 * in the transaction of the handler's own work (a table of ids in the same database) makes the effect happen exactly once
 * across processes and crashes: with any other, a process can die between the work and `add`.
 */
export interface HandledMessages {
  /** Whether `add` was called with this id. */
  has(id: string): Promise<boolean> | boolean;
  /** Remembers the id; one that is known has no effect. */
  add(id: string): Promise<void> | void;
}

/** Options of {@link idempotentHandler} and {@link idempotentBatchHandler}. */
export interface IdempotentHandlerOptions {
  store: HandledMessages;
  /** Put before each id (`name:id`), so that handlers can share a store. Default: the ids as they are. */
  name?: string;
}

/**
 * A handler that skips (acks) the messages whose `messageId` it has handled. An id is remembered after the handler has
 * succeeded; when the handler or the store throws, the message is retried like any other. While a message is handled, a
 * second delivery of its id in this process waits and shares the outcome. See {@link HandledMessages} for what this does
 * not promise.
 */
export function idempotentHandler<T = Payload>(
  handler: DataHandler<T>,
  options: IdempotentHandlerOptions,
): DataHandler<T> {
  const batchHandler = idempotentBatchHandler<T>(async ([message], context) => {
    if (message !== undefined) await handler(message, context);
  }, options);
  return (message, context) => batchHandler([message], context);
}

/**
 * The same for batches: the handler gets the messages that were not handled, each id once, and is not called when there are
 * none. With a `RejectMessage` of `others: 'ack'` the others are remembered. A batch that shares an id with one that runs
 * fails with that one.
 */
export function idempotentBatchHandler<T = Payload>(
  handler: DataBatchHandler<T>,
  { store, name }: IdempotentHandlerOptions,
): DataBatchHandler<T> {
  const running = new Map<string, Promise<void>>();
  const keyOf = ({ messageId }: Message<T>): string => (name === undefined ? messageId : `${name}:${messageId}`);
  const remember = async (messages: Message<T>[]): Promise<void> => {
    for (const message of messages) await store.add(keyOf(message));
  };
  const handleNew: DataBatchHandler<T> = async (messages, context) => {
    const known = await Promise.all(messages.map(async (message) => store.has(keyOf(message))));
    const fresh = messages.filter((_, index) => known[index] !== true);
    if (fresh.length === 0) return;
    try {
      await handler([...fresh], context);
    } catch (error) {
      if (RejectMessage.is(error) && error.messageIds !== undefined && error.others === 'ack') {
        const rejected = new Set(error.messageIds);
        await remember(fresh.filter(({ messageId }) => !rejected.has(messageId)));
      }
      throw error;
    }
    await remember(fresh);
  };
  return async (messages, context) => {
    const own = new Map<string, Message<T>>();
    const elsewhere = new Set<Promise<void>>();
    for (const message of messages) {
      const other = running.get(keyOf(message));
      if (other !== undefined) elsewhere.add(other);
      else if (!own.has(keyOf(message))) own.set(keyOf(message), message);
    }
    const work = Promise.resolve(handleNew([...own.values()], context)).finally(() => {
      for (const key of own.keys()) running.delete(key);
    });
    for (const key of own.keys()) running.set(key, work);
    const others = await Promise.allSettled(elsewhere);
    await work;
    for (const other of others) {
      if (other.status === 'fulfilled') continue;
      // A RejectMessage of another call is no verdict on the messages of this one.
      throw own.size === 0 ? other.reason : new Error(`a duplicate failed: ${errorMessage(other.reason)}`);
    }
  };
}
