import Joi from 'joi';

/** @internal */
export const pluginsAnswer = Joi.object({
  items: Joi.array()
    .items(
      Joi.object({
        type: Joi.string().required(),
        name: Joi.string().required(),
        driver: Joi.string().allow('').required(),
        required: Joi.boolean().required(),
        state: Joi.string().valid('waiting', 'starting', 'up', 'down', 'draining', 'stopped', 'disabled').required(),
        since: Joi.string().isoDate().required(),
        lastError: Joi.object({
          code: Joi.string().required(),
          message: Joi.string().allow('').required(),
          at: Joi.string().isoDate().required(),
        }),
      }),
    )
    .required(),
});

/** As Terminus answers: statuses by plugin, and what the hub's health options show beside them. @internal */
export const healthAnswer = Joi.object({
  status: Joi.string().valid('ok', 'degraded', 'error').required(),
  details: Joi.object()
    .pattern(Joi.string(), Joi.object({ status: Joi.string().required() }).unknown(true))
    .required()
    .description('By plugin type; `hub` is the application itself.'),
});
