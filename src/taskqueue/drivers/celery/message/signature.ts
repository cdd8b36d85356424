import { randomUUID } from 'node:crypto';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../../core/json.js';
import { normalizeSubmission, type SubmissionRules } from '../../../taskqueue.validation.js';
import type { CelerySignature } from '../celery.extras.js';
import { checkForKombu } from './kombu-json.js';
import type { WireSignature } from './task-message.js';
import type { TaskRoute } from '../broker/task-route.js';

/** How signatures are made of a plugin. */
export interface SignatureStyle {
  rules: SubmissionRules;
  replyTo: string;
  /** Where a task goes that names no queue. */
  route(name: string, queue: string | undefined): TaskRoute;
}

/**
 * A signature for a worker, with an id that is fixed here. All keys are given: without `options`, a worker fails the task
 * that has run. Throws as a submit does; times, priorities and headers of its own are `UNSUPPORTED`.
 */
export function wireSignature(
  signature: CelerySignature,
  style: SignatureStyle,
): { taskId: string; wire: WireSignature } {
  const { source } = style.rules;
  const { name, args = [], kwargs = {}, queue, taskId = randomUUID(), immutable = false, ...others } = signature;
  refuseOthers(others, source);
  const checked = normalizeSubmission(
    { name, args, kwargs, taskId, ...(queue === undefined ? {} : { queue }) },
    style.rules,
  );
  for (const text of [checked.args, checked.kwargs]) checkForKombu(text, `the arguments of task "${name}"`, source);
  const { exchange, routingKey } = style.route(name, queue);
  const options: JsonObject = {
    task_id: taskId,
    reply_to: style.replyTo,
    ...(exchange === '' ? { queue: routingKey } : { exchange, routing_key: routingKey }),
  };
  return {
    taskId,
    wire: {
      task: name,
      args: JSON.parse(checked.args) as JsonValue[],
      kwargs: JSON.parse(checked.kwargs) as JsonObject,
      options,
      subtask_type: null,
      immutable,
    },
  };
}

function refuseOthers(others: object, source: HubErrorOptions): void {
  const [key] = Object.keys(others);
  if (key === undefined) return;
  const text = `a task that a worker submits takes name, args, kwargs, queue, taskId and immutable; not ${key}.`;
  throw new HubError('UNSUPPORTED', text, source);
}
