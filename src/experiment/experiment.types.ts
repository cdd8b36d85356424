import type { JsonObject, JsonValue } from '../core/json.js';
import type { RetryPolicy } from '../core/retry.js';
import type { FinalRunStatus, ScalarMap } from '../mlops/mlops.types.js';

/** Whether a metric is better when it is higher (`max`, e.g. accuracy) or lower (`min`, e.g. an error). */
export type MetricDirection = 'max' | 'min';

/** Names of the tasks that do an experiment's work, wherever the task queue runs them. See task-contract.ts. */
export interface ExperimentTasks {
  /** Trains a model: `TrainKwargs` → `TrainResult`. */
  train: string;
  /** Predicts rows with the champion: `PredictKwargs` → `PredictResult`. */
  predict: string;
  /** Scores models on labelled rows that none of them trained on: `EvaluateKwargs` → `EvaluateResult`. */
  evaluate?: string;
  /** Queue that the tasks are submitted to. Default: the driver's default queue. */
  queue?: string;
  /**
   * How tasks get at a model: `path` has the hub fetch its files for workers that share its file system, `uri` leaves
   * that to workers that reach the MLOps backend themselves. Default `path`.
   */
  modelsBy?: 'path' | 'uri';
  /**
   * Most bytes of rows, as JSON, that go to the predict task in its arguments; more travel as an artifact (`rowsUri` of
   * `PredictByReferenceKwargs`), which the task has to read. Default: all go in the arguments, up to the driver's limit.
   */
  maxInlineBytes?: number;
}

/** Prediction from an input queue to an output queue. */
export interface ExperimentStreams {
  /** Queue of rows: each message's payload is one row. */
  input: string;
  /** Queue of {@link PredictionMessage}. */
  output: string;
  /** Most rows of one predict task. Default 64. */
  batchSize?: number;
  /**
   * Predict tasks that a process has in flight at once for this queue; it holds `batchSize` messages for each. More than one
   * keeps several workers busy, and the next batch under way while one is answered. Default 1.
   */
  concurrency?: number;
  /** How long the first row of a batch waits for others, in ms. Default 5. */
  maxWait?: number;
  /** What happens to a row whose prediction fails before it becomes a dead letter. Default: 3 attempts, after waits of 1 s and 2 s. */
  retry?: RetryPolicy;
}

/** When labelled feedback asks for a retrain. Times are those of the feedback items, so that history can be replayed. */
export interface RetrainPolicy {
  /** The rolling metric has to be worse than this: below it with direction `max`, above it with `min`. */
  threshold: number;
  /** How many of the latest labelled items of the champion the rolling metric is the mean of. */
  window: number;
  /** Fewest items to judge by. Default: `window`. */
  minSamples?: number;
  /** Least time since the last training of any kind, in ms. Default 3 600 000 (an hour). */
  cooldown?: number;
  /** Loop guard: at most `count` retrains by policy within `per` ms. Default 10 in 7 days. */
  maxRetrains?: { count: number; per: number };
}

/** What moves the alias `champion`. */
export interface PromotionOptions {
  /**
   * `gate`: when the evaluate task scores the challenger better than the champion; `always`: every new version, scored
   * when there is an evaluate task; `manual`: only `promote()`; `first-only`: none after the first. The first version is
   * promoted in every mode but `manual`.
   * Default `gate` with an evaluate task, `manual` from the second version on (`first-only`) without one.
   */
  mode?: 'gate' | 'always' | 'manual' | 'first-only';
  /** How much better the challenger has to be; equal to it keeps the champion. Default 0. */
  minImprovement?: number;
}

/** Longest durations, in ms. */
export interface ExperimentTimeouts {
  /** From the submit of the train task, waiting in the queue included. Default 1 800 000 (30 min). */
  train?: number;
  /** Default 600 000 (10 min). */
  evaluate?: number;
  /** Default 30 000. */
  predict?: number;
}

/** An experiment, as an entry of `experiments[]` in the configuration or given to `define()`. */
export interface ExperimentDefinition {
  /** Name of the experiment, also on the MLOps backend. */
  name: string;
  /** `false`: it is listed and every command on it is `CONFLICT`. Default true. */
  enabled?: boolean;
  /** Name in the model registry. Default: `name`. */
  model?: string;
  tasks: ExperimentTasks;
  /** Default for the params of a training; they are logged on its run. */
  params?: ScalarMap;
  /** Default for what a training is told about its data: a path, a query, a window. Small JSON, never the rows. */
  data?: JsonValue;
  /** Name of the metric that champion and challenger are compared by. Default `accuracy`. */
  metric?: string;
  /** Default `max`. */
  direction?: MetricDirection;
  streams?: ExperimentStreams;
  /** Without it, feedback is only recorded. */
  policy?: RetrainPolicy;
  /** Retrains when the last training began `every` ms ago or longer, by the clock. Default: never. */
  schedule?: { every: number };
  promotion?: PromotionOptions;
  timeouts?: ExperimentTimeouts;
}

/** A definition with its defaults filled in. */
export interface ResolvedExperiment extends Omit<ExperimentDefinition, 'policy' | 'streams'> {
  enabled: boolean;
  model: string;
  params: ScalarMap;
  data: JsonValue;
  metric: string;
  direction: MetricDirection;
  streams?: Required<ExperimentStreams>;
  policy?: Required<RetrainPolicy>;
  promotion: Required<PromotionOptions>;
  timeouts: Required<ExperimentTimeouts>;
}

/** Why a training began. */
export type TriggerReason = 'manual' | 'policy' | 'schedule';

/** What began a training. */
export interface TrainingTrigger {
  /** Identity: a second command with the same id begins nothing. */
  id: string;
  reason: TriggerReason;
  /** The time that the training is about, ms since 1970: of the feedback item, or now. Tasks pick their window by it. */
  at: number;
}

/** Options of `train`. */
export interface TrainOptions {
  /** Laid over the definition's params. */
  params?: ScalarMap;
  /** Instead of the definition's data. */
  data?: JsonValue;
  /** Identity of this command; see {@link TrainingTrigger.id}. Default: random. 1 to 128 letters, digits, `_ - .`, else `INVALID_ARGUMENT`. */
  triggerId?: string;
  /** See {@link TrainingTrigger.at}. Default: now. */
  at?: number;
}

/** How the promotion gate decided. */
export interface PromotionDecision {
  promoted: boolean;
  /** In words, as it is tagged on the version. */
  reason: string;
  /** Score of the new version on the holdout, or `null` when it was not scored. */
  challengerScore: number | null;
  /** Score of the champion on the same holdout, or `null` when there was none or it was not scored. */
  championScore: number | null;
}

/** How a training ended. It never rejects: a failure is a status. */
export interface TrainingOutcome {
  runId: string;
  /** `RUNNING`: this hub stopped following; a later `recover()` goes on. */
  status: FinalRunStatus | 'RUNNING';
  /** The registered version, when there is one. */
  version: string | null;
  decision: PromotionDecision | null;
  /** Why it is not FINISHED. */
  error: string | null;
}

/** A training that was begun. */
export interface Training {
  runId: string;
  taskId: string;
  trigger: TrainingTrigger;
  /** Resolves when the training has ended and the alias has been moved or kept. Never rejects. */
  done: Promise<TrainingOutcome>;
}

/** A version of the model, as tasks and callers see it. */
export interface ModelInfo {
  name: string;
  version: string;
}

/** Answer of `predict`. */
export interface Prediction {
  model: ModelInfo;
  /** One for each row, in order; `null` for a row that is in `errors`. */
  predictions: JsonValue[];
  /** Row index → why that row could not be predicted. */
  errors: Record<string, string>;
}

/** Payload of the output queue; its message and correlation ids are those of the input message. */
export interface PredictionMessage extends JsonObject {
  experiment: string;
  model: string;
  version: string;
  prediction: JsonValue;
  /** ms since 1970. */
  predictedAt: number;
}

/** A labelled item: what became of a prediction. */
export interface FeedbackItem {
  /** Its share in the rolling metric, e.g. an absolute error. Default: 1 when `predicted` equals `actual`, else 0. */
  value?: number;
  predicted?: JsonValue;
  actual?: JsonValue;
  /** When it happened, ms since 1970. Default: now. */
  at?: number;
  /** Version that predicted it. Default: the champion. Only the champion's own items count for the policy. */
  version?: string;
}

/** Answer of `feedback`. */
export interface FeedbackResult {
  /** Items in the champion's rolling window. */
  samples: number;
  /** Their mean, or `null` when there are none. */
  value: number | null;
  /** The retrain that this feedback began, or `null`. */
  training: Training | null;
}

/** Answer of `status`. */
export interface ExperimentStatus {
  name: string;
  enabled: boolean;
  champion: { version: string; promotedAt: string | null; score: number | null } | null;
  /** The training that runs, on whichever hub. */
  inFlight: { runId: string; taskId: string | null; trigger: TrainingTrigger } | null;
  rolling: { metric: string; value: number | null; samples: number } | null;
  /** The latest training that ended. */
  lastTraining: { runId: string; status: string; trigger: TrainingTrigger; decision: string | null } | null;
  /** `waiting`: for the first champion. `off`: no streams, or not started. */
  consumer: 'running' | 'paused' | 'waiting' | 'off';
}
