import type { Readable } from 'node:stream';
import type { MLOpsPlugin } from './mlops.plugin.js';
import type { DatasetInput, MetricInput, Run, RunBatch, ScalarMap, StartRunOptions } from './mlops.types.js';

/**
 * The run that `withRun` hands to its function: the logging methods of {@link MLOpsPlugin}, bound to the run's id, with
 * the same effects and error codes.
 */
export interface ActiveRun {
  /** The run's id, for all other methods of the plugin. */
  readonly runId: string;
  /** The run as it was when it started. */
  readonly run: Run;
  /** Logs one metric point. */
  logMetric(key: string, value: number, options?: { step?: number; timestamp?: number }): Promise<void>;
  /** Logs metric points; the options are the defaults of each. */
  logMetrics(
    metrics: readonly MetricInput[] | Record<string, number>,
    options?: { step?: number; timestamp?: number },
  ): Promise<void>;
  /** Logs one param, write-once. */
  logParam(key: string, value: string | number | boolean): Promise<void>;
  /** Logs params, write-once. */
  logParams(params: ScalarMap): Promise<void>;
  /** Sets or overwrites one tag. */
  setTag(key: string, value: string | number | boolean): Promise<void>;
  /** Sets or overwrites tags. */
  setTags(tags: ScalarMap): Promise<void>;
  /** Logs metrics, params and tags, all or nothing. */
  logBatch(batch: RunBatch): Promise<void>;
  /** Notes data sets that the run used. */
  logInputs(datasets: readonly DatasetInput[]): Promise<void>;
  /** Stores a local file under its own name, below `artifactPath` when given. */
  logArtifact(localPath: string, artifactPath?: string): Promise<void>;
  /** Stores all files below a local folder, below `artifactPath` when given. */
  logArtifacts(localFolder: string, artifactPath?: string): Promise<void>;
  /** Stores a stream as one artifact file. */
  logStream(content: Readable, path: string): Promise<void>;
  /** Stores bytes as one artifact file. */
  logBytes(content: Uint8Array, path: string): Promise<void>;
  /** Stores text as UTF-8. */
  logText(text: string, path: string): Promise<void>;
  /** Stores a value as indented JSON. */
  logDict(value: unknown, path: string): Promise<void>;
}

/** @internal The body of `MLOpsPlugin.withRun`. */
export async function runInRun<T>(
  mlops: MLOpsPlugin,
  experimentName: string,
  { signal, ...options }: StartRunOptions & { signal?: AbortSignal },
  work: (run: ActiveRun) => Promise<T>,
): Promise<T> {
  const experimentId = await mlops.ensureExperiment(experimentName);
  const run = await mlops.startRun(experimentId, options);
  const { runId } = run;
  let result: T;
  try {
    result = await work({
      runId,
      run,
      logMetric: (key, value, point) => mlops.logMetric(runId, key, value, point),
      logMetrics: (metrics, point) => mlops.logMetrics(runId, metrics, point),
      logParam: (key, value) => mlops.logParam(runId, key, value),
      logParams: (params) => mlops.logParams(runId, params),
      setTag: (key, value) => mlops.setTag(runId, key, value),
      setTags: (tags) => mlops.setTags(runId, tags),
      logBatch: (batch) => mlops.logBatch(runId, batch),
      logInputs: (datasets) => mlops.logInputs(runId, datasets),
      logArtifact: (localPath, artifactPath) => mlops.logArtifact(runId, localPath, artifactPath),
      logArtifacts: (localFolder, artifactPath) => mlops.logArtifacts(runId, localFolder, artifactPath),
      logStream: (content, path) => mlops.logStream(runId, content, path),
      logBytes: (content, path) => mlops.logBytes(runId, content, path),
      logText: (text, path) => mlops.logText(runId, text, path),
      logDict: (value, path) => mlops.logDict(runId, value, path),
    });
  } catch (error) {
    // The work's own error is what the caller has to see, also when the backend is away.
    await mlops.endRun(runId, signal?.aborted ? 'KILLED' : 'FAILED').catch(() => undefined);
    throw error;
  }
  await mlops.endRun(runId, 'FINISHED');
  return result;
}
