import type { TaskError } from '../../taskqueue.types.js';
import { NOT_STARTED, REVOKED_MARK, stackOf } from './job-record.js';

/**
 * What the hub throws to BullMQ for a task that failed. Its own name stays out of it: BullMQ takes errors that are called
 * `DelayedError` and the like, wherever they come from, as its own.
 */
export class TaskFailure extends Error {
  override readonly name = 'TaskFailure';

  constructor(error: TaskError) {
    super(error.message);
    this.stack = stackOf(error);
  }

  /** For a task that ends as REVOKED. @param started whether its handler was called in this attempt */
  static revoked(reason: string, started: boolean): TaskFailure {
    return new TaskFailure({ type: started ? 'TaskRevoked' : NOT_STARTED, message: `${REVOKED_MARK}${reason}` });
  }
}
