import type { JsonObject } from '../../../../core/json.js';
import type { CeleryTransport } from '../celery.urls.js';
import type { TaskMessage } from '../message/task-message.js';
import type { TaskRoute } from './task-route.js';

/** A message and where it goes. */
export interface RoutedTask {
  readonly message: TaskMessage;
  readonly route: TaskRoute;
}

/** How messages are published. */
export interface TaskPublishOptions {
  signal?: AbortSignal | undefined;
  /** For errors. */
  operation: string;
}

/** What workers are told over their pidbox. https://docs.celeryq.dev/en/stable/userguide/workers.html */
export interface ControlCommand {
  readonly method: string;
  readonly arguments: JsonObject;
  /** Node names of the workers that are meant. Default: all. */
  readonly destination?: readonly string[] | undefined;
}

/** A call that workers answer. */
export interface ControlCall {
  /** Number of workers that got the command; `undefined` where the broker does not tell. */
  readonly workers: number | undefined;
  /** Listens no longer. */
  end(): void;
}

/** An answer: node name → value. */
export type ControlReply = JsonObject;

/**
 * What carries tasks, commands and events between the hub and Celery workers. Rejections have the codes `UNAVAILABLE`,
 * `UNAUTHORIZED`, `NOT_FOUND` (no queue for a task), `CONFLICT` (a queue with other arguments, or that is full), `ABORTED`,
 * `CLOSED`, `PAYLOAD_INVALID`.
 */
export interface CeleryBroker {
  readonly transport: CeleryTransport;
  /** Connects. Leaves nothing open when it rejects. */
  open(): Promise<void>;
  /** Resolves when the broker has confirmed all; sent again, with the same ids, when a connection is lost meanwhile. */
  publish(tasks: readonly RoutedTask[], options: TaskPublishOptions): Promise<void>;
  /** Sends a command and waits for no answer. */
  cast(command: ControlCommand): Promise<void>;
  /** Sends a command; `onReply` gets each worker's answer until the call is ended. */
  call(command: ControlCommand, onReply: (reply: ControlReply) => void): Promise<ControlCall>;
  /** Calls `onEvent` with the body of each event message; resolves to how to end that. */
  events(onEvent: (body: unknown) => void): Promise<() => Promise<void>>;
  /** Facts for the health check; rejects with the reason when the broker does not work. */
  check(): Promise<JsonObject>;
  /** Waits for confirmations, at most `ms`. */
  flush(ms: number): Promise<void>;
  /** Closes every connection. Never rejects. */
  close(): Promise<void>;
}
