import { throwIfAborted } from '../../../../core/deadline.js';
import { checkText, invalid } from '../../../mlops.validation.js';
import type { Metric } from '../../../mlops.types.js';
import { API, checkRunId } from './identifiers.js';
import { MetricColumns } from './metric-columns.js';
import { mergePages } from './metric-merge.js';
import type { MLflowTransport } from './mlflow.transport.types.js';
import { pages } from './paging.js';
import { metricOf } from './wire.js';
import type { WireMetric } from './wire.types.js';

/**
 * Points per page of a history: what MLflow's own client asks for. It is always sent, because servers 3.4 to 3.13 answer
 * nothing without it; those before 3.4 ignore it and send everything at once.
 */
const PAGE = 25_000;
/** Most runs of one bulk request. */
const BULK_RUNS = 100;
/** Most points per run of a bulk request. */
const BULK_POINTS = 2_500;

/** A metric point with the run that it belongs to. */
export interface RunMetric extends Metric {
  runId: string;
}

/** The metric histories of runs. */
export class MetricsApi {
  constructor(private readonly transport: MLflowTransport) {}

  /**
   * All points of a metric by step, then timestamp, then value; `NOT_FOUND` for an unknown run, none for an unknown key.
   *
   * The server gives them by timestamp, so that its last page may hold the first step: a history of several pages is read
   * to its end before the first point comes, and held at 24 bytes a point (24 MB for a million). Use {@link pages} where
   * neither is wanted.
   */
  async *history(
    runId: string,
    key: string,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<Metric, void, undefined> {
    const columns: MetricColumns[] = [];
    for await (const points of this.pages(runId, key, options)) columns.push(new MetricColumns(points));
    for (const point of mergePages(columns, key)) {
      throwIfAborted(options.signal);
      yield point;
    }
  }

  /**
   * The points of a metric in the server's order (by timestamp, step and value), page by page of up to 25 000, with one page
   * in memory. A point may come twice when others are logged with earlier timestamps meanwhile.
   */
  async *pages(
    runId: string,
    key: string,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Metric[], void, undefined> {
    checkRunId(runId);
    checkText(key, 'the key of a metric', Infinity);
    const { signal } = options;
    const given = signal === undefined ? {} : { signal };
    let empty = true;
    const fetched = pages(async (pageToken) => {
      // The server refuses to look for a key that is empty.
      if (key === '') return { items: [] };
      const answer = await this.transport.json<{ metrics?: WireMetric[]; next_page_token?: string }>({
        method: 'GET',
        path: `${API}/metrics/get-history`,
        query: { run_id: runId, metric_key: key, max_results: PAGE, page_token: pageToken },
        ...given,
      });
      return { items: (answer.metrics ?? []).map(metricOf), nextPageToken: answer.next_page_token };
    }, given);
    for await (const points of fetched) {
      empty = false;
      yield points;
    }
    // An unknown run has an empty history on the server, too.
    if (empty)
      await this.transport.json({ method: 'GET', path: `${API}/runs/get`, query: { run_id: runId }, ...given });
  }

  /**
   * Points of a metric of several runs, by run and step, thinned out evenly: about `maxResults` per run, the first and the
   * last step always among them. For charts. Unknown runs and keys give none.
   * @param options.startStep, options.endStep both or neither
   * @param options.maxResults 1 to 2500, default 2500
   */
  async historyInterval(
    runIds: readonly string[],
    key: string,
    options: { startStep?: number; endStep?: number; maxResults?: number; signal?: AbortSignal } = {},
  ): Promise<RunMetric[]> {
    checkText(key, 'the key of a metric', Infinity, false);
    runIds.forEach((runId) => checkRunId(runId));
    const { startStep, endStep, maxResults = BULK_POINTS, signal } = options;
    if (!Number.isInteger(maxResults) || maxResults < 1 || maxResults > BULK_POINTS) {
      throw invalid(`maxResults has to be an integer from 1 to ${BULK_POINTS}, not ${String(maxResults)}.`);
    }
    checkInterval(startStep, endStep);
    const found: RunMetric[] = [];
    for (let at = 0; at < runIds.length; at += BULK_RUNS) {
      const { metrics = [] } = await this.transport.json<{ metrics?: WireMetric[] }>({
        method: 'GET',
        path: `${API}/metrics/get-history-bulk-interval`,
        query: {
          run_ids: runIds.slice(at, at + BULK_RUNS),
          metric_key: key,
          start_step: startStep,
          end_step: endStep,
          max_results: maxResults,
        },
        ...(signal === undefined ? {} : { signal }),
      });
      for (const metric of metrics) found.push({ ...metricOf(metric), runId: metric.run_id ?? '' });
    }
    return found;
  }
}

/** The server takes 32-bit steps here. */
function checkInterval(start: number | undefined, end: number | undefined): void {
  if (start === undefined && end === undefined) return;
  const fits = (step: number | undefined): boolean => Number.isInteger(step) && Math.abs(step ?? 0) < 2 ** 31;
  if (!fits(start) || !fits(end) || Number(start) > Number(end)) {
    throw invalid('startStep and endStep have to be integers below 2^31, both or neither, and in this order.');
  }
}
