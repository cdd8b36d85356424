import { throwIfAborted } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import { checkBatch, checkDataset, checkText, LIMITS, type CheckedBatch } from '../../mlops.validation.js';
import type { DatasetInput, Metric, RunBatch } from '../../mlops.types.js';
import type { LocalDatabase, SqlValue } from './local.database.js';
import type { GroupCommit } from './local.group-commit.js';
import { insertInput } from './local.inputs.js';
import type { RunRow } from './local.run-reader.js';
import { KEEP_LATEST, METRIC_COLUMNS } from './local.schema.js';

/** Points per INSERT statement, and per page of a history. */
const INSERT_ROWS = 50;
const PAGE_ROWS = 5_000;
/** Most points that gather in one write; more would hold the event loop for too long. */
const JOINED_ROWS = 1_000;

const ROW = '(?, ?, ?, ?, ?, ?)';
const INSERT_ONE = `INSERT OR IGNORE INTO metrics (${METRIC_COLUMNS}) VALUES ${ROW}`;
const INSERT_MANY = `INSERT OR IGNORE INTO metrics (${METRIC_COLUMNS}) VALUES ${Array(INSERT_ROWS).fill(ROW).join(', ')}`;
const INSERT_LATEST = `INSERT INTO latest_metrics (${METRIC_COLUMNS}) VALUES ${ROW} ${KEEP_LATEST}`;
/** Both of a lone point, by the trigger of the view. */
const INSERT_POINT = `INSERT INTO hub_point (${METRIC_COLUMNS}) VALUES ${ROW}`;
/** A point of no run, which the trigger refuses. */
const NO_POINT: readonly SqlValue[] = ['', 0, 0, '', 0, 0];

/** How the row of a run is found. */
export interface RunLookup {
  require(runId: string): RunRow;
  requireActive(runId: string): RunRow;
}

/** A batch that waits for its transaction. */
interface OpenBatch {
  runId: string;
  batch: CheckedBatch;
  stored: Promise<void>;
}

type Position = [step: number, timestamp: number, value: number, isNan: number];

/** What is logged to runs: metrics, params, tags and inputs. */
export class LocalRunLog {
  #open: OpenBatch | undefined;
  /** How many writes had been submitted when the open batch was the last. */
  #openAt = -1;

  constructor(
    private readonly db: LocalDatabase,
    private readonly commits: GroupCommit,
    private readonly runs: RunLookup,
  ) {}

  batch(runId: string, batch: RunBatch): Promise<void> {
    return this.write(runId, checkBatch(batch));
  }

  /** Stores a checked batch. */
  write(runId: string, batch: CheckedBatch): Promise<void> {
    const joined = this.#join(runId, batch);
    if (joined !== undefined) return joined;
    // Its own list: later points may join it, and the caller's batch is not ours to grow.
    const open: OpenBatch = { runId, batch: { ...batch, metrics: [...batch.metrics] }, stored: Promise.resolve() };
    this.#open = open;
    open.stored = this.commits.write(() => {
      if (this.#open === open) this.#open = undefined;
      this.runs.requireActive(runId);
      this.insert(runId, open.batch);
    }, this.#alone(open));
    this.#openAt = this.commits.submitted;
    return open.stored;
  }

  async inputs(runId: string, datasets: readonly DatasetInput[]): Promise<void> {
    const checked = datasets.map(checkDataset);
    await this.commits.write(() => {
      const { experiment_id: experimentId } = this.runs.requireActive(runId);
      for (const dataset of checked) insertInput(this.db, runId, experimentId, dataset);
    });
  }

  /** The points of a metric in pages, so that a long history needs little memory. */
  async *history(runId: string, key: string, signal?: AbortSignal): AsyncGenerator<Metric> {
    throwIfAborted(signal);
    await this.commits.read(() => this.runs.require(runId));
    let after: Position | undefined;
    for (;;) {
      throwIfAborted(signal);
      const page = await this.commits.read(() => this.#page(runId, key, after));
      for (const [step, timestamp, value, isNan] of page) {
        throwIfAborted(signal);
        yield { key, value: isNan ? NaN : value, timestamp, step };
      }
      after = page.at(-1);
      if (page.length < PAGE_ROWS) return;
    }
  }

  /**
   * Adds points to the batch submitted just before, when that is of the same run and not yet being written: an
   * application that logs point by point then pays for one statement per {@link INSERT_ROWS} points. What can fail from
   * here on (the run is gone) fails for all of them alike.
   */
  #join(runId: string, { metrics, params, tags }: CheckedBatch): Promise<void> | undefined {
    const open = this.#open;
    if (open?.runId !== runId || this.#openAt !== this.commits.submitted) return undefined;
    if (params.length > 0 || tags.length > 0 || open.batch.metrics.length + metrics.length > JOINED_ROWS)
      return undefined;
    // A param of the first batch may be refused, which is no business of the others.
    if (open.batch.params.length > 0 || open.batch.tags.length > 0) return undefined;
    for (const metric of metrics) open.batch.metrics.push(metric);
    return open.stored;
  }

  /** Inserts the items of a batch. Only inside `write`. */
  insert(runId: string, { params, metrics, tags }: CheckedBatch): void {
    for (const [key, value] of params) this.#insertParam(runId, key, value);
    this.#insertMetrics(runId, metrics);
    for (const [key, value] of tags) this.#setTag(runId, key, value);
  }

  /** Stores a batch of one point at once. */
  #alone({ runId, batch: { metrics, params, tags } }: OpenBatch): (() => void) | undefined {
    const [point] = metrics;
    if (point === undefined || metrics.length + params.length + tags.length > 1) return undefined;
    return () => {
      this.#open = undefined;
      this.db.runAlone(INSERT_POINT, rowOf(runId, point), NO_POINT);
    };
  }

  #page(runId: string, key: string, after: Position | undefined): Position[] {
    const [more, position]: [string, SqlValue[]] =
      after === undefined ? ['', []] : ['AND (step, timestamp, value, is_nan) > (?, ?, ?, ?)', after];
    return this.db.arrays<Position>(
      `SELECT step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? AND key = ? ${more}
       ORDER BY step, timestamp, value, is_nan LIMIT ${PAGE_ROWS}`,
      runId,
      key,
      ...position,
    );
  }

  #insertParam(runId: string, key: string, value: string): void {
    const added = this.db.run(
      'INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)',
      key,
      value,
      runId,
    );
    if (added > 0) return;
    const stored = this.db.get<{ value: string }>(
      'SELECT value FROM params WHERE run_uuid = ? AND key = ?',
      runId,
      key,
    );
    if (stored?.value === value) return;
    throw new HubError(
      'CONFLICT',
      `the param ${JSON.stringify(key)} of run ${runId} has another value already. Params are written once: use a tag ` +
        'or a metric for what changes.',
    );
  }

  #insertMetrics(runId: string, metrics: readonly Metric[]): void {
    const latest = new Map<string, Metric>();
    const whole = metrics.length - (metrics.length % INSERT_ROWS);
    for (let start = 0; start < whole; start += INSERT_ROWS) {
      const values: SqlValue[] = [];
      for (const metric of metrics.slice(start, start + INSERT_ROWS)) values.push(...rowOf(runId, metric));
      this.db.runWith(INSERT_MANY, values);
    }
    for (const metric of metrics.slice(whole)) this.db.run(INSERT_ONE, ...rowOf(runId, metric));
    for (const metric of metrics) {
      const best = latest.get(metric.key);
      if (best === undefined || isLater(metric, best)) latest.set(metric.key, metric);
    }
    for (const metric of latest.values()) this.#setLatest(runId, metric);
  }

  #setLatest(runId: string, metric: Metric): void {
    this.db.run(INSERT_LATEST, ...rowOf(runId, metric));
  }

  #setTag(runId: string, key: string, value: string): void {
    if (this.db.run('UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?', value, runId, key) === 0) {
      this.db.run('INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)', key, value, runId);
    }
    if (key !== 'mlflow.runName') return;
    // MLflow shows the column and searches the tag: they have to say the same.
    this.db.run('UPDATE runs SET name = ? WHERE run_uuid = ?', checkText(value, "a run's name", LIMITS.runName), runId);
  }
}

/** NaN is stored as 0 with a flag, as MLflow does. */
function rowOf(runId: string, { key, value, timestamp, step }: Metric): SqlValue[] {
  const isNan = Number.isNaN(value);
  return [key, isNan ? 0 : value, timestamp, runId, step, isNan ? 1 : 0];
}

function isLater(a: Metric, b: Metric): boolean {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp;
  return (a.value || 0) > (b.value || 0);
}
