import type { Options } from 'amqplib';

/** A message on its way to an exchange. */
export interface AmqpMessage {
  exchange: string;
  routingKey: string;
  content: Buffer;
  /** `messageId` has to be set: a message is sent again under it when its confirm was lost. */
  properties: Options.Publish;
}

/** How one message is published. */
export interface AmqpPublishOptions {
  /** Gives up waiting (`ABORTED`); a message that was sent already may still arrive. */
  signal?: AbortSignal;
  /** Most time in ms until the broker's confirm. Default `publishTimeout`. */
  timeout?: number;
}
