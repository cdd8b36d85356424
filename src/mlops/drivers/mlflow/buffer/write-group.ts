import type { CheckedBatch } from '../../../mlops.validation.js';
import { BATCH_LIMITS } from '../client/log-batch.split.js';
import type { NumberedWrite } from './run-write.js';

/** Gathers writes of a run, in order, as far as they go into one request. */
export class WriteGroup<Write extends NumberedWrite> {
  readonly writes: Write[] = [];
  readonly #paramKeys = new Set<string>();
  #metrics = 0;
  #tags = 0;
  #bytes = 0;

  /** Adds a write; `false` when it has to wait for the next request. The first one is always taken. */
  add(write: Write): boolean {
    if (this.writes.length > 0 && !this.#fits(write)) return false;
    this.writes.push(write);
    if (write.write.kind !== 'batch') return true;
    const { metrics, params, tags } = write.write.batch;
    for (const [key] of params) this.#paramKeys.add(key);
    this.#metrics += metrics.length;
    this.#tags += tags.length;
    this.#bytes += write.bytes;
    return true;
  }

  #fits({ write, bytes }: Write): boolean {
    if (write.kind !== 'batch' || this.writes[0]?.write.kind !== 'batch') return false;
    const { metrics, params, tags } = write.batch;
    const counts = [this.#metrics + metrics.length, this.#paramKeys.size + params.length, this.#tags + tags.length];
    const [metricCount = 0, paramCount = 0, tagCount = 0] = counts;
    if (metricCount > BATCH_LIMITS.metrics || paramCount > BATCH_LIMITS.params) return false;
    if (tagCount > BATCH_LIMITS.tags || metricCount + paramCount + tagCount > BATCH_LIMITS.items) return false;
    // The server refuses a request that names a param twice.
    return this.#bytes + bytes <= BATCH_LIMITS.bytes && !params.some(([key]) => this.#paramKeys.has(key));
  }
}

/** Takes from the front of `queue` what goes into one request: at least one write, if there is any. */
export function takeGroup<Write extends NumberedWrite>(queue: Write[]): Write[] {
  const group = new WriteGroup<Write>();
  for (const write of queue) if (!group.add(write)) break;
  queue.splice(0, group.writes.length);
  return group.writes;
}

/** The batches of several writes as one. Of a tag that is set more than once the last value counts. */
export function mergeBatches(batches: readonly CheckedBatch[]): CheckedBatch {
  const [first] = batches;
  if (first !== undefined && batches.length === 1) return first;
  const merged: CheckedBatch = { metrics: [], params: [], tags: [] };
  const tags = new Map<string, string>();
  for (const batch of batches) {
    for (const metric of batch.metrics) merged.metrics.push(metric);
    for (const param of batch.params) merged.params.push(param);
    for (const [key, value] of batch.tags) tags.set(key, value);
  }
  merged.tags.push(...tags);
  return merged;
}
