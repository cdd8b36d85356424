import type { MLOpsPlugin } from './mlops.plugin.js';
import type { MetricInput, Run, RunBatch, ScalarMap, StartRunOptions } from './mlops.types.js';

/** The run that `withRun` hands to its function: the logging methods of the plugin, bound to the run's id. */
export interface ActiveRun {
  readonly runId: string;
  readonly run: Run;
  logMetric(key: string, value: number, options?: { step?: number; timestamp?: number }): Promise<void>;
  logMetrics(
    metrics: readonly MetricInput[] | Record<string, number>,
    options?: { step?: number; timestamp?: number },
  ): Promise<void>;
  logParams(params: ScalarMap): Promise<void>;
  setTags(tags: ScalarMap): Promise<void>;
  logBatch(batch: RunBatch): Promise<void>;
  logText(text: string, path: string): Promise<void>;
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
      logParams: (params) => mlops.logParams(runId, params),
      setTags: (tags) => mlops.setTags(runId, tags),
      logBatch: (batch) => mlops.logBatch(runId, batch),
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
