/** How long one request may take, in ms. */
const REQUEST_DEADLINE = 30_000;

/** What the tests read of a run. */
export interface SeenRun {
  runId: string;
  status: string;
  tags: Map<string, string>;
  params: Map<string, string>;
  /** Step of the latest point of each metric. */
  latest: Map<string, number>;
}

/** One point of a history. */
export interface SeenPoint {
  step: number;
  value: number;
  timestamp: number;
}

interface Pair<T> {
  key: string;
  value: T;
}
interface WireRun {
  info: { run_id: string; status: string };
  data: { tags?: Pair<string>[]; params?: Pair<string>[]; metrics?: (Pair<number> & { step: number })[] };
}

/** Reads a real server's REST API by `fetch`: nothing of the driver is between the test and what is stored. */
export class ServerView {
  constructor(private readonly url: string) {}

  /** The run of that id. */
  async run(runId: string): Promise<SeenRun> {
    return seenRun((await this.#get<{ run: WireRun }>('runs/get', { run_id: runId })).run);
  }

  /** All points of a metric, in the server's order. */
  async history(runId: string, key: string): Promise<SeenPoint[]> {
    const points = await this.#pages<SeenPoint>('metrics/get-history', 'metrics', {
      ...{ run_id: runId, metric_key: key, max_results: '25000' },
    });
    // JSON of protobuf has 64-bit numbers as text or numbers, by version.
    return points.map(({ step, value, timestamp }) => ({
      ...{ step: Number(step), value: Number(value), timestamp: Number(timestamp) },
    }));
  }

  /** All active runs of an experiment. */
  async runs(experimentId: string): Promise<SeenRun[]> {
    const runs: SeenRun[] = [];
    let token: string | undefined;
    do {
      const body = { experiment_ids: [experimentId], max_results: 1_000, ...(token ? { page_token: token } : {}) };
      const page = await this.#request<{ runs?: WireRun[]; next_page_token?: string }>('runs/search', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      runs.push(...(page.runs ?? []).map(seenRun));
      token = page.next_page_token;
    } while (token);
    return runs;
  }

  /** The tag `key` of each version of a model, by version. */
  async versionTags(model: string, key: string): Promise<Map<string, string | undefined>> {
    const versions = await this.#pages<{ version: string; tags?: Pair<string>[] }>(
      'model-versions/search',
      'model_versions',
      { filter: `name = '${model}'`, max_results: '1000' },
    );
    return new Map(versions.map(({ version, tags }) => [version, tags?.find((tag) => tag.key === key)?.value]));
  }

  async #pages<T>(path: string, field: string, query: Record<string, string>): Promise<T[]> {
    const items: T[] = [];
    let token = '';
    do {
      const page = await this.#get<Record<string, unknown>>(path, { ...query, ...(token && { page_token: token }) });
      items.push(...((page[field] ?? []) as T[]));
      token = String(page['next_page_token'] ?? '');
    } while (token !== '');
    return items;
  }

  async #get<T>(path: string, query: Record<string, string>): Promise<T> {
    return this.#request(`${path}?${new URLSearchParams(query)}`, {});
  }

  async #request<T>(path: string, init: RequestInit): Promise<T> {
    const signal = AbortSignal.timeout(REQUEST_DEADLINE);
    const response = await fetch(`${this.url}/api/2.0/mlflow/${path}`, { ...init, signal });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}

function seenRun({ info, data }: WireRun): SeenRun {
  return {
    runId: info.run_id,
    status: info.status,
    tags: new Map(data.tags?.map(({ key, value }) => [key, value])),
    params: new Map(data.params?.map(({ key, value }) => [key, value])),
    latest: new Map(data.metrics?.map(({ key, step }) => [key, Number(step)])),
  };
}
