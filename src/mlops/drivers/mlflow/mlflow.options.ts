import Joi from 'joi';
import type { Durability } from '../../../embedded/store.options.js';
import { BUFFER_DEFAULTS, SPOOL_DEFAULTS } from './buffer/buffer.options.js';
import type { MLflowClientOptions } from './client/mlflow.client.options.js';
import { mlflowClientKeys } from './client/mlflow.client.schema.js';

/** How single writes are gathered into requests. */
export interface MLflowBufferOptions {
  /** How long a lone write waits for others to go with it, in ms. Default 0: one turn of the event loop. */
  linger: number;
  /** Most metrics, params and tags that wait in memory; beyond it, writes go to the spool. Default 100 000. */
  maxBuffered: number;
  /** The same in bytes. Default 64 MiB. */
  maxBufferedBytes: number;
}

/** Where writes are kept while the server is away. */
export interface MLflowSpoolOptions {
  /** `false`: while the server is away, writes reject with `UNAVAILABLE` instead. Default true. */
  enabled: boolean;
  /**
   * Folder of the spool, in which each server (and workspace) has one of its own; processes may share it. Default
   * `.experiment-hub`.
   */
  dir: string;
  /** Most bytes in it; beyond it, writes reject with `UNAVAILABLE`. Default 1 GiB. */
  maxBytes: number;
  /**
   * `process` (default): a spooled write survives the death of the process. `power`: also a power loss, at several times
   * the cost per write.
   */
  durability: Durability;
}

/** Options of the driver `mlops/mlflow`: those of the client, the write buffer and the spool. */
export interface MLflowOptions extends MLflowClientOptions {
  buffer: MLflowBufferOptions;
  spool: MLflowSpoolOptions;
}

/** {@link MLflowOptions} as they are given; what is left out has its default. */
export interface MLflowPluginOptions extends MLflowClientOptions {
  buffer?: Partial<MLflowBufferOptions>;
  spool?: Partial<MLflowSpoolOptions>;
}

const buffer = Joi.object<MLflowBufferOptions>({
  linger: Joi.number()
    .integer()
    .min(0)
    .max(60_000)
    .default(BUFFER_DEFAULTS.linger)
    .description('How long a lone write waits for others to go with it, in ms.'),
  maxBuffered: Joi.number()
    .integer()
    .min(1)
    .default(BUFFER_DEFAULTS.maxBuffered)
    .description('Most metrics, params and tags that wait in memory; beyond it, writes go to the spool.'),
  maxBufferedBytes: Joi.number()
    .integer()
    .min(1_000_000)
    .default(BUFFER_DEFAULTS.maxBufferedBytes)
    .description('Most bytes of writes that wait in memory; beyond it, writes go to the spool.'),
});

const spool = Joi.object<MLflowSpoolOptions>({
  enabled: Joi.boolean()
    .default(true)
    .description('Whether writes are kept on disk while the server is away; otherwise they reject with UNAVAILABLE.'),
  dir: Joi.string().default('.experiment-hub').description('Folder in which the spool lies.'),
  maxBytes: Joi.number()
    .integer()
    .min(1_000_000)
    .default(SPOOL_DEFAULTS.maxBytes)
    .description('Most bytes in the spool; beyond it, writes reject with UNAVAILABLE.'),
  durability: Joi.string()
    .valid('process', 'power')
    .default(SPOOL_DEFAULTS.durability)
    .description('What spooled writes survive: the death of the process, or also a power loss.'),
});

/** Schema of {@link MLflowOptions}. */
export const mlflowSchema = Joi.object<MLflowOptions>({
  ...mlflowClientKeys,
  buffer: buffer.default().description('How single writes are gathered into requests.'),
  spool: spool.default().description('Where writes are kept while the server is away.'),
});
