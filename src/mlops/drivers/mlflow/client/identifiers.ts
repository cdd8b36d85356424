import { HubError } from '../../../../core/errors.js';
import { invalid } from '../../../mlops.validation.js';

/** The folder of MLflow's REST API. */
export const API = '/api/2.0/mlflow';

/** Checks the id of a run; `NOT_FOUND` for one that no server could have given. */
export function checkRunId(runId: unknown): string {
  if (typeof runId !== 'string') throw invalid('a run id has to be a string.');
  if (/^[a-zA-Z0-9][\w-]{0,255}$/.test(runId)) return runId;
  throw new HubError('NOT_FOUND', `there is no run ${JSON.stringify(runId.slice(0, 80))}.`);
}

/** Checks the id of an experiment; `NOT_FOUND` for what is no number, since servers count them (and answer 400 or 500). */
export function checkExperimentId(experimentId: unknown): string {
  if (typeof experimentId !== 'string') throw invalid('an experiment id has to be a string.');
  if (/^\d{1,20}$/.test(experimentId)) return experimentId;
  throw new HubError('NOT_FOUND', `there is no experiment ${JSON.stringify(experimentId.slice(0, 80))}.`);
}

/** Checks the id of a logged model; `NOT_FOUND` for one that no server could have given. */
export function checkModelId(modelId: unknown): string {
  if (typeof modelId !== 'string') throw invalid('the id of a logged model has to be a string.');
  if (/^m-[\w-]{1,254}$/.test(modelId)) return modelId;
  throw new HubError('NOT_FOUND', `there is no logged model ${JSON.stringify(modelId.slice(0, 80))}.`);
}
