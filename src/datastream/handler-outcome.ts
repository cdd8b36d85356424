import { errorMessage } from '../core/errors.js';
import type { StandardSchemaV1 } from '../core/standard-schema.js';
import type { Message } from './datastream.types.js';
import { validatePayload } from './payload-validation.js';
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

/** What a driver holds of a delivery, and how it ended. */
export interface HandledDelivery<Held> {
  held: Held;
  outcome: HandlerOutcome;
}

/**
 * Does one call of a handler as the contract asks: validates the messages, hands those that fit over, and resolves to what
 * is held with how it ended, in the given order. Never rejects.
 */
export async function runHandler<Held>(call: HandlerCall<Held>): Promise<HandledDelivery<Held>[]> {
  const deliveries = call.held.map((held) => open(held, call.toMessage));
  if (call.schema !== undefined) await validate(deliveries, call.schema);
  const messages: Message[] = [];
  for (const { message } of deliveries) if (message !== undefined) messages.push(message);
  if (messages.length === 0) return deliveries;
  try {
    await call.handle(messages);
  } catch (error) {
    const outcomeOf = thrownOutcomes(error);
    for (const delivery of deliveries) {
      if (delivery.message !== undefined) delivery.outcome = outcomeOf(delivery.message);
    }
  }
  return deliveries;
}

const ACK: HandlerOutcome = { kind: 'ack' };

/** A delivery on its way; `message` is there when the handler gets it. */
interface OpenDelivery<Held> extends HandledDelivery<Held> {
  message: Message | undefined;
}

function open<Held>(held: Held, toMessage: (held: Held) => Message): OpenDelivery<Held> {
  try {
    return { held, message: toMessage(held), outcome: ACK };
  } catch (error) {
    return { held, message: undefined, outcome: thrownOutcome(error) };
  }
}

async function validate(deliveries: OpenDelivery<unknown>[], schema: StandardSchemaV1): Promise<void> {
  const validating = deliveries.map(async (delivery) => {
    if (delivery.message === undefined) return;
    const check = await validatePayload(schema, delivery.message);
    delivery.message = check.kind === 'valid' ? check.message : undefined;
    if (check.kind === 'reject') delivery.outcome = check;
    else if (check.kind === 'fail') delivery.outcome = thrownOutcome(check.error);
  });
  await Promise.all(validating);
}

function thrownOutcome(error: unknown): HandlerOutcome {
  return RejectMessage.is(error) ? { kind: 'reject', detail: errorMessage(error) } : { kind: 'fail', error };
}

function thrownOutcomes(error: unknown): (message: Message) => HandlerOutcome {
  const outcome = thrownOutcome(error);
  if (!RejectMessage.is(error) || error.messageIds === undefined) return () => outcome;
  const named = new Set(error.messageIds);
  const other: HandlerOutcome = error.others === 'ack' ? ACK : { kind: 'fail', error };
  return ({ messageId }) => (named.has(messageId) ? outcome : other);
}
