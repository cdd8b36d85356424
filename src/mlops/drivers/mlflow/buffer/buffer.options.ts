import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RetryPolicy } from '../../../../core/retry.js';
import type { Durability } from '../../../../embedded/store.options.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';

/** Where writes wait while the server is away. */
export interface SpoolOptions {
  /** A folder for one server, see {@link spoolFolder}; processes may share it. Made when missing. */
  folder: string;
  /** What spooled writes survive: the death of the process, or also a power loss. */
  durability: Durability;
  /** Most bytes of this process's entries. */
  maxBytes: number;
}

/** Options of the write buffer. */
export interface BufferOptions {
  /** Left out: writes reject with `UNAVAILABLE` while the server is away. */
  spool?: Partial<SpoolOptions> & Pick<SpoolOptions, 'folder'>;
  /** How long a lone write waits for others to share its request, in ms. Default 0: one turn of the event loop. */
  linger?: number;
  /** Most metrics, params and tags in memory; what comes beyond goes to the spool. Default 100 000. */
  maxBuffered?: number;
  /** The same in bytes. Default 64 MiB. */
  maxBufferedBytes?: number;
  /** Requests side by side, each of another run. Default 4. */
  concurrency?: number;
  /** How often the server is tried while it is away. Default from 500 ms to 30 s, doubling, with half of it at random. */
  retry?: RetryPolicy;
  /**
   * How long `flush` and `settle` bear failures of the server before they reject, in ms; one that has been away for longer
   * is tried once. Default 0.
   */
  patience?: number;
  /** How often files of processes that are gone are looked for, in ms. Default 30 000. */
  adoptInterval?: number;
  /** Default: the context `MLflow`. */
  logger?: StoreLogger;
}

/** Defaults of {@link BufferOptions}. */
export const BUFFER_DEFAULTS = {
  linger: 0,
  maxBuffered: 100_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  concurrency: 4,
  retry: { delay: 500, factor: 2, maxDelay: 30_000, jitter: 0.5 },
  patience: 0,
  adoptInterval: 30_000,
} as const;

/** Defaults of {@link SpoolOptions}. */
export const SPOOL_DEFAULTS = { durability: 'process', maxBytes: 1024 * 1024 * 1024 } as const;

/**
 * The spool's folder for a server and a workspace on it: what was written for one must never be replayed to another.
 * @param dataDir folder of the application's data
 * @param workspace left out where the server has none, or for its default one
 */
export function spoolFolder(dataDir: string, trackingUri: string, workspace?: string): string {
  const { protocol, host, pathname } = new URL(trackingUri);
  const server = `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
  // A line break stands in no address, so no address with a workspace is another one without.
  const target = workspace === undefined ? server : `${server}\n${workspace}`;
  return join(dataDir, 'mlflow-spool', createHash('sha256').update(target).digest('hex').slice(0, 16));
}
