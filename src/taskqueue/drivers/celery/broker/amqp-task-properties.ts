import type { Options } from 'amqplib';
import type { JsonObject } from '../../../../core/json.js';
import type { TaskMessage } from '../message/task-message.js';
import { amqpHeaders } from './amqp-headers.js';

/** The headers of the message that is written at the moment: of tasks that have the same names of headers. */
const table: JsonObject = {};

/** Properties of a task's message. Its headers are there only until those of another message are read. */
export class AmqpTaskProperties implements Options.Publish {
  readonly contentType = 'application/json';
  readonly contentEncoding = 'utf-8';
  readonly persistent = true;
  readonly mandatory = true;
  readonly correlationId: string;
  /** By it a message is known that is sent again after a lost confirm. */
  readonly messageId: string;
  readonly replyTo: string | undefined;

  /** @param priority as the queue has it; `undefined`: none */
  constructor(
    private readonly message: TaskMessage,
    readonly priority: number | undefined,
  ) {
    this.correlationId = message.taskId;
    this.messageId = message.taskId;
    this.replyTo = message.replyTo === '' ? undefined : message.replyTo;
  }

  /**
   * amqplib makes a prototype of what it gets, which V8 takes longer for than for all the rest of a message. So it gets the
   * same object each time; it has read it when `publish` returns.
   */
  get headers(): object {
    const { headers, isPlain } = this.message;
    return isPlain ? Object.assign(table, headers) : amqpHeaders(headers);
  }
}
