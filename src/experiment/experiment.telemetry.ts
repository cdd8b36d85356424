import type { JsonObject } from '../core/json.js';
import { failureLabel, secondsSince, Telemetry, type SpanAttributes, type SpanStart } from '../core/telemetry.js';
import type { Run, ScalarMap } from '../mlops/mlops.types.js';
import { EXPERIMENT_METRICS } from './experiment.metrics.js';
import { TAG } from './experiment.tags.js';
import type {
  FeedbackResult,
  Prediction,
  ResolvedExperiment,
  Training,
  TrainingOutcome,
  TrainingTrigger,
} from './experiment.types.js';

/** `traceparent` of https://www.w3.org/TR/trace-context/#traceparent-header: version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** What is told of experiments. */
export class ExperimentTelemetry {
  constructor(private readonly telemetry = new Telemetry()) {}

  /** The beginning of a training. */
  begin({ name }: ResolvedExperiment, reason: string, work: () => Promise<Training>): Promise<Training> {
    const start = span(`train ${name}`, name, { 'experiment_hub.training.trigger': reason });
    return this.telemetry.span(start, async (active) => {
      const training = await work();
      active.set({ 'experiment_hub.run.id': training.runId, 'experiment_hub.task.id': training.taskId });
      return training;
    });
  }

  /** A training has begun: its task is submitted. */
  started({ name }: ResolvedExperiment, { reason }: TrainingTrigger): void {
    this.telemetry.report(EXPERIMENT_METRICS.started, 1, { experiment: name, trigger: reason });
  }

  /** Tags with the active context, for the run of a training; none where there is no W3C trace context. */
  tags(): ScalarMap {
    const traceparent = this.telemetry.inject()?.['traceparent'];
    const traceId = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
    return traceId === undefined ? {} : { [TAG.traceId]: traceId, [TAG.traceparent]: String(traceparent) };
  }

  /**
   * A training that is followed to its end.
   * @param run from which it is taken up, with its {@link tags}; otherwise it is part of the active span
   */
  follow(
    { name }: ResolvedExperiment,
    runId: string,
    run: Run | undefined,
    work: () => Promise<TrainingOutcome>,
  ): Promise<TrainingOutcome> {
    const { telemetry } = this;
    const start = span(`training ${name}`, name, { 'experiment_hub.run.id': runId });
    const traceparent = run?.tags[TAG.traceparent];
    if (run !== undefined) start.parent = traceparent === undefined ? {} : { traceparent };
    telemetry.report(EXPERIMENT_METRICS.inFlight, 1, { experiment: name });
    return telemetry.span(start, async (active) => {
      try {
        const outcome = await work();
        active.set({
          'experiment_hub.training.outcome': outcome.status,
          'experiment_hub.model.version': outcome.version ?? undefined,
          'experiment_hub.promotion.promoted': outcome.decision?.promoted,
        });
        if (outcome.status === 'FAILED') active.fail('FAILED', outcome.error ?? '');
        return outcome;
      } finally {
        telemetry.report(EXPERIMENT_METRICS.inFlight, -1, { experiment: name });
      }
    });
  }

  /** This process has ended the run of a training. */
  ended(experiment: string, run: Run, outcome: 'FINISHED' | 'FAILED' | 'KILLED'): void {
    const label = outcome.toLowerCase();
    const trigger = run.tags[TAG.triggerReason] ?? 'manual';
    const seconds = Math.max(0, Date.now() - run.startTime) / 1_000;
    this.telemetry.report(EXPERIMENT_METRICS.ended, 1, { experiment, trigger, outcome: label });
    this.telemetry.report(EXPERIMENT_METRICS.training, seconds, { experiment, outcome: label });
  }

  /** Somebody or the gate has decided on the champion. */
  decided({ name }: ResolvedExperiment, decision: 'promoted' | 'refused' | 'rolled_back'): void {
    this.telemetry.report(EXPERIMENT_METRICS.promotions, 1, { experiment: name, decision });
  }

  /**
   * A prediction.
   * @param links headers with the contexts of the rows, where they come from several
   */
  async predict(
    { name }: ResolvedExperiment,
    rows: number,
    links: readonly JsonObject[],
    work: () => Promise<Prediction>,
  ): Promise<Prediction> {
    const { telemetry } = this;
    const count = (outcome: string, value: number): void => {
      if (value > 0) telemetry.report(EXPERIMENT_METRICS.predictions, value, { experiment: name, outcome });
    };
    const began = performance.now();
    let outcome = 'ok';
    try {
      return await telemetry.span(
        { ...span(`predict ${name}`, name, { 'experiment_hub.prediction.rows': rows }), links },
        async (active) => {
          const prediction = await work();
          const bad = Object.keys(prediction.errors).length;
          count('row_error', bad);
          count('ok', rows - bad);
          active.set({ 'experiment_hub.model.version': prediction.model.version });
          return prediction;
        },
      );
    } catch (error) {
      outcome = failureLabel(error);
      count(outcome, rows);
      throw error;
    } finally {
      telemetry.report(EXPERIMENT_METRICS.prediction, secondsSince(began), { experiment: name, outcome });
    }
  }

  /** The recording of feedback. */
  feedback(
    { name, metric }: ResolvedExperiment,
    items: number,
    work: () => Promise<FeedbackResult>,
  ): Promise<FeedbackResult> {
    const { telemetry } = this;
    const start = span(`feedback ${name}`, name, { 'experiment_hub.feedback.items': items });
    return telemetry.span(start, async () => {
      const result = await work();
      const labels = { experiment: name, metric };
      telemetry.report(EXPERIMENT_METRICS.feedback, items, { experiment: name });
      telemetry.report(EXPERIMENT_METRICS.rollingSamples, result.samples, labels);
      if (result.value !== null) telemetry.report(EXPERIMENT_METRICS.rolling, result.value, labels);
      return result;
    });
  }

  /** Begins what goes on by itself, apart from whatever span is active now. */
  apart<T>(work: () => T): T {
    return this.telemetry.apart(work);
  }

  /** Headers with the active context, or `undefined`. */
  context(): JsonObject | undefined {
    return this.telemetry.inject();
  }

  /** Headers of a message without the context that they carry: it is that of another message. */
  withoutContext(headers: JsonObject): JsonObject {
    return this.telemetry.strip(headers);
  }
}

function span(name: string, experiment: string, attributes: SpanAttributes): SpanStart {
  return { name, kind: 'internal', attributes: { 'experiment_hub.experiment.name': experiment, ...attributes } };
}
