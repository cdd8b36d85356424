import type { DatasetInput, FinalRunStatus } from '../../../mlops.types.js';
import type { CheckedBatch } from '../../../mlops.validation.js';
import { metricBytes, pairBytes } from '../client/log-batch.split.js';

/** One write to a run, as its caller gave it. Timestamps are fixed, so that it may be sent twice. */
export type RunWrite =
  | { kind: 'batch'; batch: CheckedBatch }
  | { kind: 'inputs'; datasets: readonly DatasetInput[] }
  | { kind: 'end'; status: FinalRunStatus; endTime: number };

/** A write on its way: from memory or from the spool. */
export interface NumberedWrite {
  readonly runId: string;
  readonly write: RunWrite;
  /** Place in the order of the calls; grows over restarts. */
  readonly seq: number;
  /** How many metrics, params and tags (1 for what is no batch). */
  readonly items: number;
  /** About its size in a request, in bytes; rather too much. */
  readonly bytes: number;
}

/** A write whose caller waits. */
export interface PendingWrite extends NumberedWrite {
  /** Whether the caller was told already. */
  settled: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** Bytes of a request beside its items. */
const FRAME_BYTES = 100;

/** How many items a write has. */
export function itemsOf(write: RunWrite): number {
  if (write.kind !== 'batch') return 1;
  const { metrics, params, tags } = write.batch;
  return metrics.length + params.length + tags.length;
}

/** About how many bytes a write takes in a request; rather too many than too few. */
export function bytesOf(write: RunWrite): number {
  if (write.kind === 'end') return FRAME_BYTES;
  if (write.kind === 'inputs') return Buffer.byteLength(JSON.stringify(write.datasets)) + FRAME_BYTES;
  let bytes = 0;
  for (const { key } of write.batch.metrics) bytes += metricBytes(key);
  for (const pair of write.batch.params) bytes += pairBytes(...pair);
  for (const pair of write.batch.tags) bytes += pairBytes(...pair);
  return bytes;
}
