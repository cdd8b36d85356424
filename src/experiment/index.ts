export * from './experiment.types.js';
export type { PredictOptions } from './predictor.js';
export { experimentSchema, experimentsSchema } from './experiment.schema.js';
export { CHAMPION } from './experiment.tags.js';
export { Experiments } from './experiments.js';
export type { ExperimentsOptions } from './experiments.options.js';
export { decidePromotion, type GateFacts } from './promotion-gate.js';
export { decideRetrain, type RetrainFacts, type RetrainVerdict } from './retrain-policy.js';
export type {
  EvaluateKwargs,
  EvaluateResult,
  ModelReference,
  PredictByReferenceKwargs,
  PredictKwargs,
  PredictResult,
  TrainedModel,
  TrainKwargs,
  TrainProgress,
  TrainResult,
} from './task-contract.js';
