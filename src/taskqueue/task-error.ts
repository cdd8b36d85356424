import { errorMessage, HubError } from '../core/errors.js';
import { redactUrls } from '../core/redact.js';
import type { TaskError } from './taskqueue.types.js';

/**
 * What is kept of something that a task threw. `type` is the class name; for a {@link HubError} its code, and for a
 * thrown value that is no Error the kind of value. Credentials in URLs are removed.
 */
export function taskErrorOf(thrown: unknown): TaskError {
  if (HubError.is(thrown)) return withStack({ type: thrown.code, message: thrown.message }, thrown.stack);
  if (thrown instanceof Error) {
    const type = thrown.name !== 'Error' ? thrown.name : thrown.constructor?.name || 'Error';
    return withStack({ type, message: errorMessage(thrown) }, thrown.stack);
  }
  return { type: thrown === null ? 'null' : typeof thrown, message: describe(thrown) };
}

function withStack(error: TaskError, stack: string | undefined): TaskError {
  return stack === undefined ? error : { ...error, stack: redactUrls(stack) };
}

function describe(thrown: unknown): string {
  try {
    return redactUrls(typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown));
  } catch {
    return 'a value that cannot be shown';
  }
}
