import type { CheckedBatch } from '../../../mlops.validation.js';

/** Greatest sizes of one log-batch request, see https://mlflow.org/docs/latest/api_reference/rest-api.html#log-batch */
export const BATCH_LIMITS = {
  metrics: 1_000,
  params: 100,
  tags: 100,
  /** Metrics, params and tags together. */
  items: 1_000,
  /** Bytes of the body. The documented limit is 1 MB; some is left for the run id and the braces. */
  bytes: 990_000,
} as const;

/** Bytes of a metric in JSON without its key: names, a double of up to 24 characters, two integers of up to 17. */
const METRIC_BYTES = 104;
/** Bytes of a param or tag in JSON without key and value. */
const PAIR_BYTES = 24;

/**
 * Cuts a batch into requests that the server takes. Params come first, alone until the last of them, because they are what
 * can be refused (`CONFLICT`): a batch of at most 100 params, about 1 MB of them, is refused before anything of it is stored.
 * Beyond that the params of earlier requests stay. An empty batch gives no request. The order within metrics, params and
 * tags is kept; each key of a param or tag has to occur once.
 */
export function splitBatch(batch: CheckedBatch): CheckedBatch[] {
  if (fitsOneRequest(batch)) return isEmpty(batch) ? [] : [batch];
  const requests: CheckedBatch[] = [];
  let open = new OpenRequest();
  const close = (): void => {
    if (open.items > 0) requests.push(open.batch);
    open = new OpenRequest();
  };
  for (const kind of ['params', 'tags'] as const) {
    for (const pair of batch[kind]) {
      if (!open.addPair(kind, pair)) {
        close();
        open.addPair(kind, pair);
      }
    }
  }
  for (const metric of batch.metrics) {
    if (!open.addMetric(metric)) {
      close();
      open.addMetric(metric);
    }
  }
  close();
  return requests;
}

/** The most bytes that a metric takes in a request's JSON. Keys hold no character that JSON would escape. */
export function metricBytes(key: string): number {
  return METRIC_BYTES + 3 * key.length;
}

/** The bytes that a param or tag takes in a request's JSON. */
export function pairBytes(key: string, value: string): number {
  return PAIR_BYTES + 3 * key.length + Buffer.byteLength(JSON.stringify(value));
}

/** A request that is being filled. */
class OpenRequest {
  readonly batch: CheckedBatch = { metrics: [], params: [], tags: [] };
  items = 0;
  #bytes = 0;

  /** Adds a param or tag, unless it does not fit any more. A single one always fits. */
  addPair(kind: 'params' | 'tags', pair: [key: string, value: string]): boolean {
    if (this.batch[kind].length >= BATCH_LIMITS[kind] || !this.#reserve(pairBytes(...pair))) return false;
    this.batch[kind].push(pair);
    return true;
  }

  /** As {@link addPair}. */
  addMetric(metric: CheckedBatch['metrics'][number]): boolean {
    if (this.batch.metrics.length >= BATCH_LIMITS.metrics || !this.#reserve(metricBytes(metric.key))) return false;
    this.batch.metrics.push(metric);
    return true;
  }

  #reserve(bytes: number): boolean {
    if (this.items > 0 && (this.items >= BATCH_LIMITS.items || this.#bytes + bytes > BATCH_LIMITS.bytes)) return false;
    this.items += 1;
    this.#bytes += bytes;
    return true;
  }
}

function isEmpty({ metrics, params, tags }: CheckedBatch): boolean {
  return metrics.length + params.length + tags.length === 0;
}

/** Whether the batch surely fits, found without measuring text: the usual case, and this runs for every call. */
function fitsOneRequest({ metrics, params, tags }: CheckedBatch): boolean {
  const items = metrics.length + params.length + tags.length;
  if (items > BATCH_LIMITS.items || params.length > BATCH_LIMITS.params || tags.length > BATCH_LIMITS.tags)
    return false;
  let bytes = 0;
  for (const { key } of metrics) bytes += metricBytes(key);
  // A character is at most 6 bytes in JSON: an escaped control character.
  for (const [key, value] of params) bytes += PAIR_BYTES + 3 * key.length + 6 * value.length;
  for (const [key, value] of tags) bytes += PAIR_BYTES + 3 * key.length + 6 * value.length;
  return bytes <= BATCH_LIMITS.bytes;
}
