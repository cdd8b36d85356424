import { HubError } from '../../core/errors.js';
import { checkTaskName, checkTaskOptions } from '../taskqueue.validation.js';
import type { TaskHandler, TaskOptions } from '../taskqueue.types.js';
import type { ListedTask } from './thread-messages.js';

type Definitions = Record<string, unknown>;

/** The default export of an imported module as name → definition, or `INVALID_ARGUMENT`. */
export function taskDefinitions(imported: unknown, url: string): Definitions {
  let definitions = property(imported, 'default');
  // CommonJS compiled from ES modules wraps its default export once more.
  if (property(definitions, '__esModule') === true) definitions = property(definitions, 'default');
  if (typeof definitions !== 'object' || definitions === null || Object.keys(definitions).length === 0) {
    throw invalid(
      url,
      'its default export has to be an object of tasks: export default defineTasks({ name: handler }).',
    );
  }
  return definitions as Definitions;
}

/** Names and options of the tasks, checked. Throws `INVALID_ARGUMENT`. */
export function listTasks(definitions: Definitions, url: string): ListedTask[] {
  return Object.keys(definitions).map((name) => {
    handlerOf(definitions, name, url);
    checkTaskName(name, {});
    const { retry, timeLimit } = definitions[name] as TaskOptions;
    const options = { ...(retry === undefined ? {} : { retry }), ...(timeLimit === undefined ? {} : { timeLimit }) };
    checkTaskOptions(options, {});
    return { name, options };
  });
}

/** The handler of one task. `INVALID_ARGUMENT` when there is none. */
export function handlerOf(definitions: Definitions, name: string, url = 'the module'): TaskHandler {
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
  const handler = typeof definition === 'function' ? definition : property(definition, 'handler');
  if (typeof handler === 'function') return handler as TaskHandler;
  throw invalid(url, `task ${JSON.stringify(name)} has to be a function or { handler, retry?, timeLimit? }.`);
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function invalid(url: string, message: string): HubError {
  return new HubError('INVALID_ARGUMENT', `the task module ${url}: ${message}`);
}
