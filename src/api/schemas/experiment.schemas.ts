import Joi from 'joi';
import { json, nameParam, scalars, time } from './names.js';
import { pageSchema } from '../http/paging.js';

/** Rows of one predict request at most. */
const MAX_ROWS = 10_000;

const text = Joi.string().allow('');
const trigger = Joi.object({
  id: Joi.string().required(),
  reason: Joi.string().valid('manual', 'policy', 'schedule').required(),
  at: time.required().description('ms since 1970.'),
});

/** @internal */
export const experimentParams = Joi.object({ name: nameParam });

/** An experiment's definition, without `data`: what it says may not be for callers. @internal */
export const experimentAnswer = Joi.object({
  name: Joi.string().required(),
  enabled: Joi.boolean().required(),
  model: Joi.string().required().description('Name in the model registry.'),
  tasks: Joi.object({
    train: Joi.string().required(),
    predict: Joi.string().required(),
    evaluate: Joi.string(),
    queue: Joi.string(),
    modelsBy: Joi.string().valid('path', 'uri'),
    maxInlineBytes: Joi.number(),
  }).required(),
  params: scalars.required(),
  metric: Joi.string().required(),
  direction: Joi.string().valid('max', 'min').required(),
  streams: Joi.object({
    input: Joi.string().required(),
    output: Joi.string().required(),
    batchSize: Joi.number().required(),
    concurrency: Joi.number().required(),
    maxWait: Joi.number().required(),
  }),
  policy: Joi.object({
    threshold: Joi.number().required(),
    window: Joi.number().required(),
    minSamples: Joi.number().required(),
    cooldown: Joi.number().required(),
    maxRetrains: Joi.object({ count: Joi.number().required(), per: Joi.number().required() }).required(),
  }),
  schedule: Joi.object({ every: Joi.number().required() }),
  promotion: Joi.object({
    mode: Joi.string().valid('gate', 'always', 'manual', 'first-only').required(),
    minImprovement: Joi.number().required(),
  }).required(),
  timeouts: Joi.object({
    train: Joi.number().required(),
    evaluate: Joi.number().required(),
    predict: Joi.number().required(),
  }).required(),
});

/** @internal */
export const experimentPage = pageSchema(experimentAnswer);

/** @internal */
export const statusAnswer = Joi.object({
  name: Joi.string().required(),
  enabled: Joi.boolean().required(),
  champion: Joi.object({
    version: Joi.string().required(),
    promotedAt: Joi.string().allow(null).required(),
    score: Joi.number().allow(null).required(),
  })
    .allow(null)
    .required()
    .description('The version that predicts.'),
  inFlight: Joi.object({
    runId: Joi.string().required(),
    taskId: Joi.string().allow(null).required(),
    trigger: trigger.required(),
  })
    .allow(null)
    .required()
    .description('The training that runs.'),
  rolling: Joi.object({
    metric: Joi.string().required(),
    value: Joi.number().allow(null).required(),
    samples: Joi.number().integer().required(),
  })
    .allow(null)
    .required(),
  lastTraining: Joi.object({
    runId: Joi.string().required(),
    status: Joi.string().required(),
    trigger: trigger.required(),
    decision: Joi.string().allow(null).required(),
  })
    .allow(null)
    .required(),
  consumer: Joi.string().valid('running', 'paused', 'waiting', 'off').required(),
});

/** Body of train and retrain; see `TrainOptions`. @internal */
export const trainBody = Joi.object({
  params: scalars.description("Laid over the definition's params."),
  data: json.description("Instead of the definition's data: any JSON value. Tasks have to distrust it."),
  triggerId: Joi.string()
    .pattern(/^[A-Za-z0-9_.-]{1,128}$/)
    .description('Identity of this command: a second one with the same id begins nothing.'),
  at: time.description('The time that the training is about, ms since 1970. Default: now.'),
});

/** @internal */
export const trainingAnswer = Joi.object({
  runId: Joi.string().required(),
  taskId: Joi.string().required(),
  trigger: trigger.required(),
});

/** @internal */
export const cancelAnswer = Joi.object({
  outcome: Joi.string()
    .valid('cancelled', 'requested', 'finished')
    .required()
    .description('`requested`: it runs and was asked to stop; `finished`: there was nothing to cancel.'),
});

/** @internal */
export const predictBody = Joi.object({
  rows: Joi.array().items(json).max(MAX_ROWS).required(),
  version: Joi.string()
    .pattern(/^[1-9][0-9]{0,14}$/)
    .description('Instead of the champion.'),
});

/** @internal */
export const predictionAnswer = Joi.object({
  model: Joi.object({ name: Joi.string().required(), version: Joi.string().required() }).required(),
  predictions: Joi.array().items(json).required().description('One for each row; null for a row among `errors`.'),
  errors: Joi.object().pattern(Joi.string(), text).required().description('Index of a row → why it has none.'),
});

/** @internal */
export const feedbackBody = Joi.object({
  items: Joi.array()
    .items(
      Joi.object({
        value: Joi.number().unsafe().description('Its share in the rolling metric.'),
        predicted: json,
        actual: json,
        at: time.description('ms since 1970. Default: now.'),
        version: Joi.string()
          .pattern(/^[1-9][0-9]{0,14}$/)
          .description('Version that predicted it. Default: the champion.'),
      }),
    )
    .min(1)
    .max(MAX_ROWS)
    .required(),
});

/** @internal */
export const feedbackAnswer = Joi.object({
  samples: Joi.number().integer().required(),
  value: Joi.number().allow(null).required(),
  training: trainingAnswer.allow(null).required().description('The retrain that this feedback began.'),
});

/** @internal */
export const promoteBody = Joi.object({
  version: Joi.string()
    .pattern(/^[1-9][0-9]{0,14}$/)
    .required(),
});

/** @internal */
export const modelAnswer = Joi.object({ name: Joi.string().required(), version: Joi.string().required() });
