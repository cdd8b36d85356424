import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { Metric } from '../mlops/mlops.types.js';
import { RollingWindow } from './rolling-window.js';

/**
 * Metrics of the control run that hold the feedback on one version: `feedback/v<version>/<hub>`, one for each hub that
 * took some, since only one writer can number its items without gaps. Step = number of the item, value = its value,
 * timestamp = when it happened.
 */
const itemsOf = (version: string): string => `feedback/v${version}/`;

/** What one hub recorded. */
interface Recorded {
  /** The number of its latest item. */
  count: number;
  /** The latest, as many as the window holds. */
  items: Pick<Metric, 'value' | 'timestamp'>[];
}

/**
 * The rolling window over the feedback on one version, of all hubs: the items lie on the backend, and what other hubs
 * have added since is read when their counts have changed. The latest items are those that happened last.
 */
export class FeedbackWindow {
  readonly #recorded = new Map<string, Recorded>();
  readonly #mine: string;
  #window: RollingWindow;

  /**
   * @param hub identity of this hub, unique for each process
   * @param size items that the rolling metric is the mean of
   */
  constructor(
    private readonly mlops: MLOpsPlugin,
    readonly version: string,
    hub: string,
    private readonly size: number,
  ) {
    this.#mine = myItems(version, hub);
    this.#window = new RollingWindow(size);
  }

  /** Mean of the items in the window, or `null` without any. */
  get mean(): number | null {
    return this.#window.mean;
  }

  /** How many items the window holds. */
  get samples(): number {
    return this.#window.samples;
  }

  /** Items recorded for the version so far, by all hubs. */
  get total(): number {
    return [...this.#recorded.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** Items recorded by this hub. */
  get mine(): number {
    return this.#recorded.get(this.#mine)?.count ?? 0;
  }

  /** Takes in what is on the backend and not known here: of other hubs, or of this one before. */
  async refresh(runId: string): Promise<void> {
    const { metrics } = await this.mlops.getRun(runId);
    let changed = false;
    for (const [key, { step }] of Object.entries(metrics)) {
      if (!key.startsWith(itemsOf(this.version))) continue;
      // This hub may know of more than the backend, where the driver writes behind.
      if ((this.#recorded.get(key)?.count ?? 0) >= step) continue;
      this.#recorded.set(key, await this.#read(runId, key));
      changed = true;
    }
    if (changed) this.#rebuild();
  }

  /** Adds an item that this hub has recorded. */
  push(value: number, timestamp: number): void {
    const mine = this.#recorded.get(this.#mine) ?? { count: 0, items: [] };
    this.#recorded.set(this.#mine, mine);
    mine.count += 1;
    mine.items.push({ value, timestamp });
    if (mine.items.length > this.size) mine.items.shift();
    this.#window.push(value);
  }

  async #read(runId: string, key: string): Promise<Recorded> {
    const items: Recorded['items'] = [];
    let count = 0;
    for await (const { value, timestamp, step } of this.mlops.getMetricHistory(runId, key)) {
      count = Math.max(count, step);
      items.push({ value, timestamp });
      if (items.length > 2 * this.size) items.splice(0, this.size);
    }
    return { count, items: items.slice(-this.size) };
  }

  #rebuild(): void {
    this.#window = new RollingWindow(this.size);
    const all = [...this.#recorded.values()].flatMap(({ items }) => items);
    for (const { value } of all.sort((a, b) => a.timestamp - b.timestamp).slice(-this.size)) this.#window.push(value);
  }
}

/** The metric that a hub records its feedback on a version in. */
export function myItems(version: string, hub: string): string {
  return `${itemsOf(version)}${hub.slice(0, 8)}`;
}
