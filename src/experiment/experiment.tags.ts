/**
 * @internal Where the hub keeps an experiment's state on the MLOps backend. They are a stored format: a hub of a later
 * version has to read what an earlier one wrote.
 */
export const TAG = {
  /** On runs: {@link KIND}. */
  kind: 'hub.kind',
  triggerId: 'hub.trigger_id',
  triggerReason: 'hub.trigger_reason',
  /** ms since 1970. */
  triggerAt: 'hub.trigger_at',
  taskId: 'hub.task_id',
  /** What began the training, as JSON; when it is too long for a tag, it is the artifact `hub/request.json`. */
  request: 'hub.request',
  /** Set when the task queue has confirmed the task. */
  submitted: 'hub.submitted',
  /** When the training has to have ended, ms since 1970. */
  deadline: 'hub.deadline',
  cancelRequested: 'hub.cancel_requested',
  /** Trace that the training is part of, 32 hexadecimal digits. */
  traceId: 'hub.trace_id',
  /** Context of the span that began it, so that a hub that takes it up goes on with its trace. */
  traceparent: 'hub.traceparent',
  error: 'hub.error',
  modelVersion: 'hub.model_version',
  /** On runs and versions: `promoted` or `refused`. */
  decision: 'hub.decision',
  decisionReason: 'hub.decision_reason',
  decidedAt: 'hub.decided_at',
  challengerScore: 'hub.challenger_score',
  championScore: 'hub.champion_score',
  previousChampion: 'hub.previous_champion',
  promotedAt: 'hub.promoted_at',
  promotedBy: 'hub.promoted_by',
  rolledBackAt: 'hub.rolled_back_at',
} as const;

/** @internal Values of {@link TAG.kind}. */
export const KIND = {
  /** The one run that belongs to the experiment as a whole. */
  control: 'control',
  /** One that some hub has made to become it; it is deleted unless it is chosen. */
  controlCandidate: 'control-candidate',
  training: 'training',
} as const;

/** @internal Params that claim work begin with this. */
export const CLAIM_PREFIX = 'hub.claim.';

/** @internal Tags with the sign of life of a claim's holder begin with this. */
export const ALIVE_PREFIX = 'hub.alive.';

/** Alias of the version that predicts. */
export const CHAMPION = 'champion';

/** Folder of the model among its run's artifacts. */
export const MODEL_PATH = 'model';

/** @internal Artifact with the request that began a training, so that another hub can go on with it. */
export const REQUEST_PATH = 'hub/request.json';

/** @internal The task that trains a run, by the run's tags; `undefined` when it is no training or has none yet. */
export function trainingTaskOf(tags: Readonly<Record<string, string>>): string | undefined {
  return tags[TAG.taskId];
}

/** @internal Whether an artifact is the hub's own state: it holds the `data` of trainings, which is not for everybody. */
export function isHubArtifact(path: string): boolean {
  return path.split('/', 1)[0] === 'hub';
}

/** @internal The tags of a run without the hub's own state: the `data` of its training, and signs of life. */
export function publicTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const isState = (key: string): boolean => key === TAG.request || key.startsWith(ALIVE_PREFIX);
  return Object.fromEntries(Object.entries(tags).filter(([key]) => !isState(key)));
}
