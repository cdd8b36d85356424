import { HubError } from '../../../../core/errors.js';
import type { Metric } from '../../../mlops.types.js';
import type { RunWrite } from './run-write.js';

/** A metric as it is stored: NaN and infinities, which JSON cannot carry, as text. */
type StoredMetric = [key: string, value: number | string, timestamp: number, step: number];

/** A write as JSON text for the spool. */
export function encodeWrite(write: RunWrite): string {
  if (write.kind === 'inputs') return JSON.stringify(write.datasets);
  if (write.kind === 'end') return JSON.stringify({ status: write.status, endTime: write.endTime });
  const { metrics, params, tags } = write.batch;
  return JSON.stringify({ metrics: metrics.map(encodeMetric), params, tags });
}

/** The write that {@link encodeWrite} made. `INTERNAL` when the text is none. */
export function decodeWrite(kind: string, content: string): RunWrite {
  try {
    const value: unknown = JSON.parse(content);
    if (kind === 'inputs') return { kind, datasets: value as Extract<RunWrite, { kind: 'inputs' }>['datasets'] };
    if (kind === 'end') return { kind, ...(value as Omit<Extract<RunWrite, { kind: 'end' }>, 'kind'>) };
    if (kind !== 'batch') throw new Error(`unknown kind ${kind}`);
    const { metrics, params, tags } = value as {
      metrics: StoredMetric[];
      params: [string, string][];
      tags: [string, string][];
    };
    return { kind, batch: { metrics: metrics.map(decodeMetric), params, tags } };
  } catch (cause) {
    throw new HubError('INTERNAL', 'an entry of the spool cannot be read.', { cause });
  }
}

function encodeMetric({ key, value, timestamp, step }: Metric): StoredMetric {
  return [key, Number.isFinite(value) ? value : String(value), timestamp, step];
}

function decodeMetric([key, value, timestamp, step]: StoredMetric): Metric {
  return { key, value: Number(value), timestamp, step };
}
