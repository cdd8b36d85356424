import Joi from 'joi';
import { embeddedStoreKeys, type EmbeddedStoreOptions } from '../../../embedded/store.options.js';
import type { QueueOptions } from '../../datastream.types.js';
import { DEFAULT_MAX_PAYLOAD_BYTES, MAX_DURATION_MS, QUEUE_NAME } from '../../datastream.validation.js';

/** Options of the `local` datastream driver. */
export interface LocalDataStreamOptions extends EmbeddedStoreOptions {
  /** Most bytes of one payload. Default 1 048 576 (1 MiB). */
  maxPayloadBytes: number;
  /** Queues that are created when the plugin opens. Default: none. One that exists with other options is `CONFLICT`. */
  queues: readonly (QueueOptions & { name: string })[];
}

const queueSchema = Joi.object({
  name: Joi.string().pattern(QUEUE_NAME, 'letters, digits and _ - . : /').required().description('Name of the queue.'),
  maxLength: Joi.number().integer().min(1).description('Most ready messages; further sends are CONFLICT.'),
  messageTtl: Joi.number().integer().min(1).max(MAX_DURATION_MS).description('Time to live of its messages, in ms.'),
  deliveryLimit: Joi.number().integer().min(1).description('Most deliveries of a message. Default 20.'),
});

/** Joi schema of {@link LocalDataStreamOptions}. */
export const localDataStreamSchema = Joi.object<LocalDataStreamOptions>({
  ...embeddedStoreKeys,
  maxPayloadBytes: Joi.number()
    .integer()
    .min(1)
    .default(DEFAULT_MAX_PAYLOAD_BYTES)
    .description('Most bytes of one payload.'),
  queues: Joi.array().items(queueSchema).default([]).description('Queues that are created when the plugin opens.'),
});
