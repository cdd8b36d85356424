import type { StandardSchemaV1 } from '../../src/core/standard-schema.js';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type {
  DataBatchHandler,
  DataHandler,
  SubscribeBatchOptions,
  SubscribeOptions,
} from '../../src/datastream/datastream.types.js';
import { validatePayloads } from '../../src/datastream/payload-validation.js';
import { RejectMessage, type RejectMessageOptions } from '../../src/datastream/reject-message.js';
import { consumers } from './datastream-consumers.js';
import { pretend, replace, type Mutant } from './mutant.js';

/** Mutants of what a handler's rejection and a schema do. */
export const handlingMutants: Mutant<DataStreamPlugin>[] = [
  {
    name: 'retries what the handler has rejected',
    caughtBy: /^RejectMessage > makes a dead letter at once/,
    mutate: (plugin) => changeErrors(plugin, (error) => new Error(error.message)),
  },
  {
    name: 'acks what the handler has rejected',
    caughtBy: /^RejectMessage > makes a dead letter at once/,
    mutate: (plugin) => changeErrors(plugin, () => undefined),
  },
  {
    name: 'loses the words of a rejection',
    caughtBy: /^RejectMessage > makes a dead letter at once/,
    mutate: (plugin) => changeErrors(plugin, () => new RejectMessage('')),
  },
  {
    name: 'gives rejected messages the reason of failed ones',
    caughtBy: /^RejectMessage > ends the retries of a message that failed before$/,
    mutate: (plugin) =>
      replace(plugin, 'peekDeadLetters', (original) => async (...args) => {
        const letters = await original(...args);
        for (const letter of letters) pretend(letter, 'reason', () => 'failed' as const);
        return letters;
      }),
  },
  {
    name: 'knows a RejectMessage by its class',
    caughtBy: /^RejectMessage > of another copy of the package/,
    mutate: (plugin) =>
      changeErrors(plugin, (error) => (error instanceof RejectMessage ? error : new Error(error.message))),
  },
  {
    name: 'retries a batch that was rejected',
    caughtBy: /^RejectMessage > in a batch handler: all messages/,
    mutate: (plugin) => changeBatchErrors(plugin, (error) => new Error(error.message)),
  },
  {
    name: 'rejects a whole batch for the messages that are named',
    caughtBy: /^RejectMessage > in a batch handler with messageIds: the others are retried$/,
    mutate: (plugin) => changeRejections(plugin, () => ({})),
  },
  {
    name: 'acks the messages that a rejection does not name',
    caughtBy: /^RejectMessage > in a batch handler with messageIds: others that have no attempt left/,
    mutate: (plugin) => changeRejections(plugin, ({ messageIds }) => ({ messageIds, others: 'ack' })),
  },
  {
    name: 'retries the others that are done',
    caughtBy: /^RejectMessage > in a batch handler with messageIds and others: 'ack'/,
    mutate: (plugin) => changeRejections(plugin, ({ messageIds }) => ({ messageIds })),
  },
  {
    name: 'ignores a schema',
    caughtBy: /^payload validation > what does not fit is a dead letter/,
    mutate: (plugin) => changeSchemas(plugin, () => undefined),
  },
  {
    name: 'takes anything for a schema',
    caughtBy: /^RejectMessage > a schema that is no Standard Schema is INVALID_ARGUMENT$/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        typeof (schema as Partial<StandardSchemaV1>)['~standard']?.validate === 'function' ? schema : undefined,
      ),
  },
  {
    name: 'validates payloads and hands over what was sent',
    caughtBy: /^payload validation > the handler gets the value that the schema returns$/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        schemaOf(async (value) => {
          const result = await schema['~standard'].validate(value);
          return result.issues === undefined ? { value } : result;
        }),
      ),
  },
  {
    name: 'retries what does not fit its schema',
    caughtBy: /^payload validation > what does not fit is a dead letter without retry/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        schemaOf(async (value) => {
          const result = await schema['~standard'].validate(value);
          if (result.issues !== undefined) throw new Error('it does not fit');
          return result;
        }),
      ),
  },
  {
    name: 'does not wait for an asynchronous schema',
    caughtBy: /^payload validation > a schema may be asynchronous$/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        schemaOf((value) => {
          const result = schema['~standard'].validate(value);
          return result instanceof Promise ? { value } : result;
        }),
      ),
  },
  {
    name: 'rejects a message whose schema failed',
    caughtBy: /^payload validation > a schema that throws counts as a handler that throws$/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        schemaOf(async (value) => {
          try {
            return await schema['~standard'].validate(value);
          } catch (error) {
            return { issues: [{ message: String(error) }] };
          }
        }),
      ),
  },
  {
    name: 'keeps the path of the issues to itself',
    caughtBy: /^payload validation > what does not fit is a dead letter without retry/,
    mutate: (plugin) =>
      changeSchemas(plugin, (schema) =>
        schemaOf(async (value) => {
          const { issues, ...result } = await schema['~standard'].validate(value);
          return issues === undefined
            ? (result as { value: unknown })
            : { issues: issues.map(({ message }) => ({ message })) };
        }),
      ),
  },
  {
    name: 'rejects a whole batch for one that does not fit',
    caughtBy: /^payload validation > of a batch only those that do not fit/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, { schema, ...options }) => {
        const strict: DataBatchHandler = async (messages, context) => {
          const checks = schema === undefined ? [] : await validatePayloads(schema, messages);
          if (checks.some(({ kind }) => kind === 'reject')) throw new RejectMessage('it does not fit');
          await handler(messages, context);
        };
        return original(queue, strict, options);
      }),
  },
  {
    name: 'calls the handler with an empty batch',
    caughtBy: /^payload validation > a batch of which nothing fits does not reach the handler$/,
    mutate: (plugin) =>
      replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, { schema, ...options }) => {
        const late: DataBatchHandler = async (messages, context) => {
          const checks = schema === undefined ? [] : await validatePayloads(schema, messages);
          await handler(
            messages.filter((_, index) => checks[index]?.kind === 'valid'),
            context,
          );
          throw new RejectMessage('it does not fit');
        };
        return original(queue, late, options);
      }),
  },
];

function changeErrors(plugin: DataStreamPlugin, change: (error: Error) => Error | undefined): void {
  replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options) => {
    const changed: DataHandler = async (message, context) => changing(() => handler(message, context), change);
    return original(queue, changed, options);
  });
}

function changeBatchErrors(plugin: DataStreamPlugin, change: (error: Error) => Error | undefined): void {
  replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, options) => {
    const changed: DataBatchHandler = async (messages, context) => changing(() => handler(messages, context), change);
    return original(queue, changed, options);
  });
}

function changeRejections(
  plugin: DataStreamPlugin,
  change: (rejection: RejectMessage) => Pick<RejectMessageOptions, 'messageIds' | 'others'>,
): void {
  changeBatchErrors(plugin, (error) =>
    RejectMessage.is(error) ? new RejectMessage(error.message, change(error)) : error,
  );
}

async function changing(call: () => Promise<void> | void, change: (error: Error) => Error | undefined): Promise<void> {
  try {
    await call();
  } catch (error) {
    const changed = RejectMessage.is(error) ? change(error) : (error as Error);
    if (changed !== undefined) throw changed;
  }
}

function changeSchemas(
  plugin: DataStreamPlugin,
  change: (schema: StandardSchemaV1) => StandardSchemaV1 | undefined,
): void {
  const changed = <O extends SubscribeOptions | SubscribeBatchOptions>({ schema, ...options }: O): O => {
    const other = schema === undefined ? undefined : change(schema);
    return { ...options, ...(other === undefined ? {} : { schema: other }) } as O;
  };
  replace(consumers(plugin), 'subscribe', (original) => (queue, handler, options = {}) => {
    return original(queue, handler, changed(options));
  });
  replace(consumers(plugin), 'subscribeBatch', (original) => (queue, handler, options) => {
    return original(queue, handler, changed(options));
  });
}

function schemaOf(validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'mutant', validate } };
}
