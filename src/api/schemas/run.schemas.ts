import Joi from 'joi';
import { RUN_STATUSES } from '../../mlops/mlops.types.js';
import { pageKeys, pageSchema } from '../http/paging.js';
import { nameParam, runParam, texts, time } from './names.js';

/** @internal */
export const runParams = Joi.object({ name: nameParam, runId: runParam });

/** @internal */
export const runsQuery = Joi.object({
  ...pageKeys,
  status: Joi.string().valid(...RUN_STATUSES),
});

const metricValue = Joi.number().unsafe().allow(null).required().description('null for NaN.');

/** @internal */
export const runAnswer = Joi.object({
  runId: Joi.string().required(),
  runName: Joi.string().allow('').required(),
  userId: Joi.string().allow('').required(),
  status: Joi.string()
    .valid(...RUN_STATUSES)
    .required(),
  startTime: time.required().description('ms since 1970.'),
  endTime: time.allow(null).required().description('ms since 1970; null while it runs.'),
  lifecycleStage: Joi.string().valid('active', 'deleted').required(),
  metrics: Joi.object()
    .pattern(Joi.string(), Joi.number().unsafe().allow(null))
    .required()
    .description('The latest value of each metric.'),
  params: texts.required(),
  tags: texts.required(),
});

/** @internal */
export const runPage = pageSchema(runAnswer);

const metric = {
  key: Joi.string().required(),
  value: metricValue,
  step: Joi.number().integer().unsafe().required(),
  timestamp: Joi.number().integer().unsafe().required().description('ms since 1970.'),
};

/** @internal */
export const metricPage = pageSchema(Joi.object(metric));

/** @internal */
export const historyQuery = Joi.object({
  ...pageKeys,
  key: Joi.string().max(250).required().description('Key of the metric.'),
});

/** @internal */
export const artifactsQuery = Joi.object({
  ...pageKeys,
  path: Joi.string().max(1_000).allow('').default('').description('Folder. Default: the root.'),
});

/** @internal */
export const artifactPage = pageSchema(
  Joi.object({
    path: Joi.string().required(),
    isDirectory: Joi.boolean().required(),
    fileSize: Joi.number().integer().allow(null).required().description('Bytes; null for folders.'),
  }),
);

/** @internal */
export const contentQuery = Joi.object({
  path: Joi.string().max(1_000).required().description('Path of the file among the artifacts.'),
});
