import type { JsonObject, JsonValue } from '../../../core/json.js';
import type { SubmitOptions } from '../../taskqueue.types.js';
import type { CeleryEvent } from './control/celery-events.js';
import type { InspectAnswer, InspectMethod } from './control/inspect.js';

/** A task that a worker submits when another has ended. */
export interface CelerySignature {
  name: string;
  /** Default none. In a chain and as a `link` the result of the task before comes first, unless `immutable`. */
  args?: readonly JsonValue[];
  kwargs?: JsonObject;
  /** Default: as the routes of the configuration say. */
  queue?: string;
  /** Default: a random UUID. */
  taskId?: string;
  /** `true`: it does not get the result of the task before. Default false. */
  immutable?: boolean;
}

/** What `extras.submit` takes beyond `submitTask`. */
export interface CelerySubmitOptions extends Omit<SubmitOptions, 'retry'> {
  /** Exchange to publish to, with `routingKey`; in place of `queue`. */
  exchange?: string;
  routingKey?: string;
  /** ms: after it `SoftTimeLimitExceeded` is raised within the task. */
  softTimeLimit?: number;
  /** `true`: the worker stores no result, and nobody can wait for it. Default false. */
  ignoreResult?: boolean;
  /** Submitted with its result when it has succeeded. */
  link?: readonly CelerySignature[];
  /** Submitted with its id when it has failed. */
  linkError?: readonly CelerySignature[];
}

/** Options of a chain or group as a whole. */
export type CeleryCanvasOptions = Pick<
  CelerySubmitOptions,
  'countdown' | 'eta' | 'expires' | 'priority' | 'headers' | 'signal'
>;

/** A group that was submitted. */
export interface CeleryGroup {
  groupId: string;
  /** In the order of the signatures. */
  taskIds: string[];
}

/** What Celery can do beyond the port. Errors are those of the port's methods. */
export interface CeleryExtras {
  /** As `submitTask`, with what only Celery has. Resolves to the task's id. */
  submit(name: string, options?: CelerySubmitOptions): Promise<string>;
  /**
   * Submits tasks that run one after the other, each with the result of the one before as its first argument. Resolves to
   * their ids; the last one's result is that of the chain. When one fails, the rest never runs and stays PENDING.
   */
  chain(tasks: readonly CelerySignature[], options?: CeleryCanvasOptions): Promise<string[]>;
  /** Submits tasks that run side by side and share a group id. */
  group(tasks: readonly CelerySignature[], options?: CeleryCanvasOptions): Promise<CeleryGroup>;
  /** Removes what is stored of a task's result. */
  forget(taskId: string): Promise<void>;
  /** Asks workers to forget tasks that wait and, with `terminate`, to end the process of those that run. Waits for no answer. */
  revoke(taskIds: string | readonly string[], options?: { terminate?: boolean; signal?: string }): Promise<void>;
  /**
   * Asks the workers, and resolves to what each answered within the time.
   * https://docs.celeryq.dev/en/stable/userguide/workers.html#inspecting-workers
   */
  inspect(
    method: InspectMethod,
    options?: { arguments?: JsonObject; destination?: readonly string[]; timeout?: number },
  ): Promise<Record<string, InspectAnswer>>;
  /**
   * Events of tasks and workers from now on, until `signal` fires or the plugin closes. Workers send those of tasks only when
   * they run with `-E` or after {@link enableEvents}. Events that come faster than they are read are dropped, the oldest
   * first.
   */
  events(options?: { signal?: AbortSignal }): AsyncIterable<CeleryEvent>;
  /** Has the workers send (or no longer send) events of tasks. */
  enableEvents(enabled?: boolean): Promise<void>;
}
