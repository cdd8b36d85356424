/** Options of {@link RejectMessage}. */
export interface RejectMessageOptions {
  /**
   * For batch handlers: the messages that are rejected. An id that is not in the batch has no effect. Default: all
   * messages of the call.
   */
  messageIds?: readonly string[];
  /**
   * What becomes of the messages that `messageIds` does not name. `retry` (default): the handler has failed for them, as
   * after any other error, so that they are retried by the policy and then dead letters with reason `failed`. `ack`: the
   * handler is done with them.
   */
  others?: 'retry' | 'ack';
  /** The underlying error. */
  cause?: unknown;
}

const BRAND = Symbol.for('nestjs-experiment-hub.RejectMessage');

/**
 * Thrown by a handler of `subscribe`, `subscribeBatch` or `@OnData` for a message that no retry can help: it becomes a
 * dead letter at once, with reason `rejected` and the error's message as `detail`, whatever the retry policy. In a batch
 * it is all messages, or those that `messageIds` names. Recognise it with {@link RejectMessage.is}, which also works when
 * two copies of the package are loaded.
 */
export class RejectMessage extends Error {
  /** @internal */
  readonly [BRAND] = true;
  /** The messages that are rejected; `undefined`: all of the call. */
  readonly messageIds: readonly string[] | undefined;
  /** What becomes of the others of a batch, see {@link RejectMessageOptions.others}. */
  readonly others: 'retry' | 'ack';

  /** @param reason the `detail` of the dead letter; credentials in URLs are removed there */
  constructor(reason: string, { messageIds, others = 'retry', cause }: RejectMessageOptions = {}) {
    super(reason, cause === undefined ? {} : { cause });
    this.name = 'RejectMessage';
    this.messageIds = messageIds;
    this.others = others;
  }

  /** Whether `value` is a RejectMessage, of this or another copy of the package. */
  static is(value: unknown): value is RejectMessage {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}
