import Joi from 'joi';

/** Name of an experiment, as a path parameter. @internal */
export const nameParam = Joi.string()
  .pattern(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/)
  .required()
  .description('Name of the experiment.');

/** Id of a run, as a path parameter. @internal */
export const runParam = Joi.string()
  .pattern(/^[A-Za-z0-9_-]{1,64}$/)
  .required()
  .description('Id of the run.');

/** Id of a task, as a path parameter. @internal */
export const taskParam = Joi.string()
  .pattern(/^[A-Za-z0-9_.-]{1,128}$/)
  .required()
  .description('Id of the task.');

/** Name of a queue, as a path parameter. @internal */
export const queueParam = Joi.string()
  .pattern(/^[A-Za-z0-9_.:/-]{1,200}$/)
  .required()
  .description('Name of the queue; a "/" in it is written %2F.');

/** Time in ms since 1970. @internal */
export const time = Joi.number().integer().min(0).max(8_640_000_000_000_000);

/** Params or tags by key. @internal */
export const scalars = Joi.object().pattern(Joi.string(), [Joi.string().allow(''), Joi.number(), Joi.boolean()]);

/** Texts by key. @internal */
export const texts = Joi.object().pattern(Joi.string(), Joi.string().allow(''));

/** Any JSON value. @internal */
export const json = Joi.any().description('Any JSON value.');
