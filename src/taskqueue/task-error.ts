import { errorMessage, HubError } from '../core/errors.js';
import { redactUrls } from '../core/redact.js';
import type { TaskError } from './taskqueue.types.js';

/**
 * What is kept of something that a task threw. `type` is the class name; for a {@link HubError} its code, and for a
 * thrown value that is no Error the kind of value. Credentials in URLs are removed. Never throws, whatever the value
 * does.
 */
export function taskErrorOf(thrown: unknown): TaskError {
  try {
    if (thrown instanceof Error || HubError.is(thrown)) {
      return withStack({ type: typeOf(thrown), message: errorMessage(thrown) }, thrown);
    }
  } catch {
    // A proxy or a getter that throws: it is described as the value that it is.
  }
  return { type: thrown === null ? 'null' : typeof thrown, message: describe(thrown) };
}

function typeOf(thrown: Error): string {
  if (HubError.is(thrown)) return String(thrown.code);
  try {
    // Some libraries put a number or a list where the name belongs.
    return String(thrown.name !== 'Error' ? thrown.name : thrown.constructor.name) || 'Error';
  } catch {
    return 'Error';
  }
}

function withStack(error: TaskError, thrown: Error): TaskError {
  try {
    const stack: unknown = thrown.stack;
    return stack === undefined ? error : { ...error, stack: redactUrls(String(stack)) };
  } catch {
    return error;
  }
}

function describe(thrown: unknown): string {
  try {
    return redactUrls(typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown));
  } catch {
    return 'a value that cannot be shown';
  }
}
