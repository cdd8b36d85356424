import Joi from 'joi';
import type { ExperimentDefinition, ResolvedExperiment } from './experiment.types.js';
import { validateOptions } from '../core/validate.js';

const name = Joi.string()
  .pattern(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/)
  .messages({ 'string.pattern.base': '{{#label}} has to be 1 to 128 letters, digits, "_", "-" or "."' });
const duration = Joi.number().integer().min(1);

/** Keys of ObservML's configuration that name code. */
const codeFromConfig = Joi.any()
  .forbidden()
  .messages({
    'any.unknown':
      '{{#label}} names code, and code is never imported from configuration. Register the tasks in code with ' +
      'registerTasks() and name them under "tasks"',
  });

const retry = Joi.object({
  attempts: Joi.number().integer().min(1).default(3).description('Tries of one row, the first included.'),
  delay: Joi.number().min(0).default(1_000).description('Wait before the second try, in ms.'),
  factor: Joi.number().min(1).description('What the wait is multiplied by after each try.'),
  maxDelay: Joi.number().min(0).description('Longest wait, in ms.'),
  jitter: Joi.number().min(0).max(1).description('Share of each wait that is drawn at random.'),
});

/** Joi schema of one {@link ExperimentDefinition}; it fills in the defaults of {@link ResolvedExperiment}. */
export const experimentSchema = Joi.object<ResolvedExperiment & { module?: never; class?: never }>({
  name: name.required().description('Name of the experiment, also on the MLOps backend.'),
  enabled: Joi.boolean().default(true).description('Whether its commands and its stream work.'),
  model: name
    .default((parent: { name: string }) => parent.name)
    .description('Name in the model registry. Default: the name of the experiment.'),
  tasks: Joi.object({
    train: Joi.string().required().description('Name of the task that trains.'),
    predict: Joi.string().required().description('Name of the task that predicts.'),
    evaluate: Joi.string().description('Name of the task that scores champion and challenger on one holdout.'),
    queue: Joi.string().description('Queue for the tasks. Default: the one of the task queue driver.'),
    modelsBy: Joi.string()
      .valid('path', 'uri')
      .default('path')
      .description('path: the hub fetches the files of models for workers on its file system. uri: workers do it.'),
    maxInlineBytes: Joi.number()
      .integer()
      .min(0)
      .description('Most bytes of rows in the arguments of a predict task; more travel as an artifact. Default: all.'),
  })
    .required()
    .description('The tasks that do the work; they are registered in code or run by external workers.'),
  params: Joi.object()
    .pattern(Joi.string(), [Joi.string().allow(''), Joi.number(), Joi.boolean()])
    .default({})
    .description('Params of a training.'),
  data: Joi.any().default(null).description('What a training is told about its data; small JSON, not the rows.'),
  metric: Joi.string().default('accuracy').description('Metric that models are compared by.'),
  direction: Joi.string().valid('max', 'min').default('max').description('Whether higher or lower is better.'),
  streams: Joi.object({
    input: Joi.string().required().description('Queue of rows to predict.'),
    output: Joi.string().required().invalid(Joi.ref('input')).description('Queue of predictions.'),
    batchSize: Joi.number().integer().min(1).max(10_000).default(64).description('Most rows of one predict task.'),
    concurrency: Joi.number()
      .integer()
      .min(1)
      .max(64)
      .default(1)
      .description('Predict tasks that a process has in flight at once.'),
    maxWait: Joi.number().min(0).default(5).description('How long a row waits for others, in ms.'),
    retry: retry.default({ attempts: 3, delay: 1_000 }).description('What happens to a row that fails.'),
  }).description('Prediction from an input queue to an output queue.'),
  policy: Joi.object({
    threshold: Joi.number().required().description('A rolling metric worse than this asks for a retrain.'),
    window: Joi.number().integer().min(1).required().description('Labelled items that the rolling metric averages.'),
    minSamples: Joi.number()
      .integer()
      .min(1)
      .max(Joi.ref('window'))
      .default((parent: { window: number }) => parent.window)
      .description('Fewest items to judge by. Default: window.'),
    cooldown: Joi.number().min(0).default(3_600_000).description('Least time between trainings, in ms of item time.'),
    maxRetrains: Joi.object({
      count: Joi.number().integer().min(1).required().description('Most retrains by policy...'),
      per: duration.required().description('...within this many ms.'),
    })
      .default({ count: 10, per: 604_800_000 })
      .description('Loop guard.'),
  }).description('When labelled feedback asks for a retrain.'),
  schedule: Joi.object({
    every: duration.required().description('Longest time between trainings, in ms.'),
  }).description('Retrain by the clock.'),
  promotion: Joi.object({
    mode: Joi.string().valid('gate', 'always', 'manual', 'first-only').description('What moves the champion alias.'),
    minImprovement: Joi.number().min(0).default(0).description('How much better the challenger has to be.'),
  })
    .default({ minImprovement: 0 })
    .description('The promotion gate.'),
  timeouts: Joi.object({
    train: duration.default(1_800_000).description('Longest training in ms, waiting included.'),
    evaluate: duration.default(600_000).description('Longest evaluation in ms, waiting included.'),
    predict: duration.default(30_000).description('Longest prediction in ms, waiting included.'),
  })
    .default({ train: 1_800_000, evaluate: 600_000, predict: 30_000 })
    .description('Longest durations.'),
  module: codeFromConfig,
  class: codeFromConfig,
})
  .custom((value: ResolvedExperiment, helpers) => {
    if (value.promotion.mode !== 'gate' || value.tasks.evaluate !== undefined) return value;
    return helpers.message({ custom: '{{#label}}.promotion.mode "gate" needs tasks.evaluate' });
  })
  .description('An experiment: train, predict, retrain.');

/** Joi schema of `experiments[]` in the configuration. */
export const experimentsSchema = Joi.array()
  .items(experimentSchema)
  .unique('name')
  .default([])
  .description('Experiments that the hub runs.');

/** Validates a definition and fills in its defaults. `CONFIG_INVALID` lists every fault. */
export function resolveExperiment(definition: ExperimentDefinition): ResolvedExperiment {
  const what = `experiment ${JSON.stringify(definition.name)}`;
  const valid = validateOptions<ResolvedExperiment>(experimentSchema.required(), definition, { what });
  const mode = valid.promotion.mode ?? (valid.tasks.evaluate === undefined ? 'first-only' : 'gate');
  return { ...valid, promotion: { ...valid.promotion, mode } };
}
