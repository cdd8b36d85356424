import { errorMessage } from '../core/errors.js';
import type { StandardSchemaV1 } from '../core/standard-schema.js';
import type { Message } from './datastream.types.js';
import { validatePayloads } from './payload-validation.js';
import { RejectMessage } from './reject-message.js';

/**
 * How the delivery of one message to a handler ended. `ack`: it is done. `reject`: it becomes a dead letter at once, with
 * reason `rejected` and this detail. `fail`: it is retried by the policy of the subscription, and then becomes a dead
 * letter with reason `failed` and the message of the error.
 */
export type HandlerOutcome = { kind: 'ack' } | { kind: 'reject'; detail: string } | { kind: 'fail'; error: unknown };

/** What {@link runHandler} needs. */
export interface HandlerCall<Held> {
  /** What the driver holds of each delivery: one of a subscription of single messages, or a batch. */
  held: readonly Held[];
  /** The message as the handler sees it. When it throws, that delivery has failed, or is rejected by a RejectMessage. */
  toMessage: (held: Held) => Message;
  /** The schema of the subscription. */
  schema: StandardSchemaV1 | undefined;
  /** Calls the user's handler once, with the messages that fit; not at all when there is none. It may throw. */
  handle: (messages: Message[]) => Promise<void> | void;
}

/**
 * Does one call of a handler as the contract asks: validates the messages, hands those that fit over, and resolves to what
 * is held with how it ended, in the given order. Never rejects.
 */
export async function runHandler<Held>({
  held,
  toMessage,
  schema,
  handle,
}: HandlerCall<Held>): Promise<{ held: Held; outcome: HandlerOutcome }[]> {
  const read = held.map((one) => ({ held: one, check: checkRead(() => toMessage(one)) }));
  const calls = schema === undefined ? read : await Promise.all(read.map((one) => validated(one, schema)));
  const messages = calls.flatMap(({ check }) => (check.kind === 'valid' ? [check.message] : []));
  const outcomeOf = messages.length === 0 ? () => ACK : await attempt(messages, handle);
  return calls.map(({ held: one, check }) => ({
    held: one,
    outcome: check.kind === 'valid' ? outcomeOf(check.message) : check,
  }));
}

/** The outcome of what a handler, or what prepares its messages, has thrown. */
export function thrownOutcome(error: unknown): HandlerOutcome {
  return RejectMessage.is(error) ? { kind: 'reject', detail: errorMessage(error) } : { kind: 'fail', error };
}

const ACK: HandlerOutcome = { kind: 'ack' };

interface Call<Held> {
  held: Held;
  check: { kind: 'valid'; message: Message } | HandlerOutcome;
}

async function validated<Held>({ held, check }: Call<Held>, schema: StandardSchemaV1): Promise<Call<Held>> {
  if (check.kind !== 'valid') return { held, check };
  const [result = check] = await validatePayloads(schema, [check.message]);
  return { held, check: result.kind === 'fail' ? thrownOutcome(result.error) : result };
}

function checkRead(read: () => Message): Call<never>['check'] {
  try {
    return { kind: 'valid', message: read() };
  } catch (error) {
    return thrownOutcome(error);
  }
}

async function attempt(
  messages: Message[],
  handle: HandlerCall<never>['handle'],
): Promise<(message: Message) => HandlerOutcome> {
  try {
    await handle(messages);
    return () => ACK;
  } catch (error) {
    if (!RejectMessage.is(error) || error.messageIds === undefined) {
      const outcome = thrownOutcome(error);
      return () => outcome;
    }
    const named = new Set(error.messageIds);
    return ({ messageId }) => {
      if (named.has(messageId)) return thrownOutcome(error);
      return error.others === 'ack' ? ACK : { kind: 'fail', error };
    };
  }
}
