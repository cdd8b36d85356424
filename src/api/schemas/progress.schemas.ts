import Joi from 'joi';

/** One server-sent event of a progress stream. @internal */
export const progressEvent = Joi.object({
  event: Joi.string()
    .valid('heartbeat', 'progress', 'error', 'end')
    .required()
    .description('`error` carries a problem; `end` is the last one, unless there was an error.'),
  id: Joi.string(),
  data: Joi.string()
    .required()
    .description(
      'JSON. `progress`: the report of the task. `end`: `taskId`, `reason` (finished, deadline, shutdown) and `state`.',
    ),
});
