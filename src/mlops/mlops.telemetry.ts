import type { ObservedCalls } from '../core/observed-calls.js';
import type { MLOpsPlugin } from './mlops.plugin.js';

/** The methods that drivers implement; the others call these. */
const METHODS = [
  'createExperiment',
  'getExperiment',
  'getExperimentByName',
  'renameExperiment',
  'deleteExperiment',
  'restoreExperiment',
  'setExperimentTag',
  'deleteExperimentTag',
  'startRun',
  'endRun',
  'getRun',
  'renameRun',
  'deleteRun',
  'restoreRun',
  'logBatch',
  'deleteTag',
  'logInputs',
  'flush',
  'logStream',
  'listArtifacts',
  'readArtifact',
  'downloadArtifacts',
  'deleteArtifacts',
  'createRegisteredModel',
  'getRegisteredModel',
  'updateRegisteredModel',
  'renameRegisteredModel',
  'deleteRegisteredModel',
  'setRegisteredModelTag',
  'deleteRegisteredModelTag',
  'setRegisteredModelAlias',
  'deleteRegisteredModelAlias',
  'createModelVersion',
  'getModelVersion',
  'getModelVersionByAlias',
  'updateModelVersion',
  'deleteModelVersion',
  'setModelVersionTag',
  'deleteModelVersionTag',
] as const satisfies readonly (keyof MLOpsPlugin)[];

const SEARCHES = [
  'searchExperiments',
  'searchRuns',
  'getMetricHistory',
  'searchRegisteredModels',
  'searchModelVersions',
] as const satisfies readonly (keyof MLOpsPlugin)[];

/** Tells of the calls of an MLOps plugin. */
export function observeMLOps(mlops: MLOpsPlugin, calls: ObservedCalls): void {
  calls.putAround(mlops, METHODS);
  calls.putAroundSteps(mlops, SEARCHES);
}
