import type { JsonObject, JsonValue } from '../../core/json.js';
import type { TaskError, TaskOptions } from '../taskqueue.types.js';
import type { TaskRunObserver } from './task-run-observer.js';

/** An attempt to run. */
export interface RunnableTask {
  taskId: string;
  name: string;
  args: JsonValue[];
  kwargs: JsonObject;
  headers: JsonObject;
  /** This attempt, from 1. */
  attempt: number;
  /** As submitted in ms, or `null`: what the registration says. */
  timeLimit: number | null;
}

/** How one attempt ended, as its runner saw it. */
export type RunOutcome =
  /** The handler returned; `json` is its result. */
  | { kind: 'result'; json: string }
  /** The handler threw, or its result is no JSON. */
  | { kind: 'error'; error: TaskError }
  /** The thread that ran it ended by itself. `noThread`: it never ran, because no thread could be started. */
  | { kind: 'lost'; error: TaskError; noThread?: boolean }
  /** It was ended by `kill()`. */
  | { kind: 'killed' };

/** Why a running task is asked to stop. */
export type StopReason = 'cancelled' | 'timeLimit' | 'shutdown';

/** What a runner needs beside the task. */
export interface RunHooks {
  /** Asks the handler to stop. It is made when it is read for the first time. */
  readonly signal: AbortSignal;
  /** Stores a progress report, given as JSON text; throws or rejects when it cannot. */
  onProgress(json: string): void | Promise<void>;
}

/** One running attempt. */
export interface RunHandle {
  /** Never rejects. */
  readonly outcome: Promise<RunOutcome>;
  /** Ends the attempt whether it listens or not. `false`: this runner cannot. */
  kill(): boolean;
}

/** Runs attempts of tasks: in this process, or in threads. */
export interface TaskRunner {
  run(task: RunnableTask, registration: TaskRegistration, hooks: RunHooks): RunHandle;
}

/** A task name that can run here. */
export interface TaskRegistration {
  name: string;
  options: TaskOptions;
  /** Who runs it, and with whom it shares slots. */
  slots: RunnerSlots;
  /** Is told of its attempts. */
  observer?: TaskRunObserver | undefined;
}

/** A runner and how much of it is in use. */
export interface RunnerSlots {
  readonly name: string;
  readonly runner: TaskRunner;
  readonly concurrency: number;
  active: number;
}
