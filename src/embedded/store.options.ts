import Joi from 'joi';

/** What survives: see {@link EmbeddedStoreOptions.durability}. */
export type Durability = 'process' | 'power';

/** Options that all local drivers share. */
export interface EmbeddedStoreOptions {
  /** Folder of the embedded stack, or `:memory:` for one that ends with the process. Default `.experiment-hub`. */
  dataDir: string;
  /**
   * `process` (default): what was acknowledged survives the death of the process (`kill -9`), not of the machine.
   * `power`: also a power loss, at several times the cost per write. SQLite's `synchronous` NORMAL and FULL in WAL mode,
   * see https://sqlite.org/pragma.html#pragma_synchronous
   */
  durability: Durability;
}

/** The value of `dataDir` that keeps everything in memory. */
export const IN_MEMORY = ':memory:';

/** Joi keys of {@link EmbeddedStoreOptions}, for the schemas of the local drivers. */
export const embeddedStoreKeys = {
  dataDir: Joi.string()
    .default('.experiment-hub')
    .description('Folder of the embedded stack, or ":memory:" for one that ends with the process.'),
  durability: Joi.string()
    .valid('process', 'power')
    .default('process')
    .description('What acknowledged writes survive: the death of the process, or also a power loss.'),
};
