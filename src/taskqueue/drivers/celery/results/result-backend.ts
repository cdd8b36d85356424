import type { JsonObject } from '../../../../core/json.js';
import type { TaskProgress } from '../../../taskqueue.types.js';
import type { ResultMeta } from './result-meta.js';

/** What a hub notes of a task that it has submitted. */
export interface SubmitNote {
  name: string;
  /** `undefined` when the caller named an exchange. */
  queue?: string | undefined;
  /** ms since 1970. */
  submittedAt: number;
  /** Not to be started before, in ms since 1970. */
  due: number;
}

/** Everything that is stored of a task. */
export interface StoredTask {
  meta?: ResultMeta | undefined;
  note?: SubmitNote | undefined;
  /** Attempts that started, as counted by the hub's Python helper. */
  attempt?: number | undefined;
  /** Latest report through the helper. */
  progress?: TaskProgress | undefined;
}

/** Hears of a task's changes. `undefined`: something may have been missed, look again. */
export type ResultListener = (meta: ResultMeta | undefined) => void;

/** Where workers store results. Rejections have the codes `UNAVAILABLE`, `UNAUTHORIZED`, `TIMEOUT`. */
export interface ResultBackend {
  /** Whether results can be read by any process, also after a restart. */
  readonly durable: boolean;
  /** Queue that workers send results to; empty where they store them. */
  readonly replyTo: string;
  /** Tasks that are followed. */
  readonly followed: number;
  /** Connects. Leaves nothing open when it rejects. */
  open(): Promise<void>;
  /** Notes submits, so that other processes know them. Best effort: never rejects. */
  note(submits: ReadonlyMap<string, SubmitNote>): Promise<void>;
  /** Removes the notes of submits that failed. Best effort, too. */
  unnote(taskIds: readonly string[]): Promise<void>;
  /** What is stored of a task. */
  read(taskId: string): Promise<StoredTask>;
  /** Calls `listener` at each change of a task, until the returned function is called; resolves when none is missed any more. */
  follow(taskId: string, listener: ResultListener): Promise<() => void>;
  /** Removes all that is stored of tasks. */
  forget(taskIds: readonly string[]): Promise<void>;
  /** Facts for the health check; rejects with the reason when results cannot be read. */
  check(): Promise<JsonObject>;
  /** Closes every connection. Never rejects. */
  close(): Promise<void>;
}
