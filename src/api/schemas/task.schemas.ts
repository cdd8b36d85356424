import Joi from 'joi';
import { TASK_STATES } from '../../taskqueue/taskqueue.types.js';
import { MAX_WAIT_MS } from '../api.options.js';
import { json, taskParam, time } from './names.js';

/** Longest delay and lifetime that can be asked for, in ms: a year. */
const MAX_DELAY_MS = 31_536_000_000;

const delay = Joi.number().integer().min(0).max(MAX_DELAY_MS);

/** @internal */
export const taskParams = Joi.object({ taskId: taskParam });

/** Body of a submit: the options of the port that a caller may choose. Queue, retry and headers are not among them. @internal */
export const submitBody = Joi.object({
  name: Joi.string()
    .pattern(/^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}$/)
    .required()
    .description("One of the application's allowed tasks."),
  args: Joi.array().items(json).description('Positional arguments.'),
  kwargs: Joi.object().unknown(true).description('Named arguments.'),
  taskId: Joi.string()
    .pattern(/^[A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*$/)
    .max(128)
    .description('Identity of the task: where the driver knows ids, a second submit with it begins nothing.'),
  priority: Joi.number().integer().min(0).max(9).description('Higher first.'),
  countdown: delay.description('Not before this many ms from now.'),
  expires: delay.min(1).description('Not after this many ms from now.'),
  timeLimit: delay.min(1).description('Longest run of one attempt, in ms.'),
});

/** @internal */
export const submittedAnswer = Joi.object({ taskId: Joi.string().required() });

const progress = Joi.object({
  sequence: Joi.number().integer().required(),
  attempt: Joi.number().integer().required(),
  data: json,
  timestamp: time.required(),
});

/** @internal */
export const taskAnswer = Joi.object({
  taskId: Joi.string().required(),
  name: Joi.string().allow(null).required(),
  state: Joi.string()
    .valid(...TASK_STATES)
    .required(),
  attempt: Joi.number().integer().required().description('Attempts begun.'),
  progress: progress.allow(null).required(),
  error: Joi.object({ type: Joi.string().allow('').required(), message: Joi.string().allow('').required() })
    .allow(null)
    .required()
    .description('Of the last attempt, without its stack.'),
  submittedAt: time.allow(null).required(),
  startedAt: time.allow(null).required(),
  finishedAt: time.allow(null).required(),
});

/** @internal */
export const resultQuery = Joi.object({
  wait: Joi.number()
    .integer()
    .min(0)
    .max(MAX_WAIT_MS)
    .default(0)
    .description('How long to wait for the end, in ms. The server may have a lower limit.'),
});

/** @internal */
export const resultAnswer = Joi.object({ taskId: Joi.string().required(), result: json });
