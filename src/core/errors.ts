import { redactError, redactUrls } from './redact.js';

/**
 * Every error code of the hub. Codes are stable within a major version; messages are not. docs/errors.md says what to
 * do about each.
 */
export const HUB_ERROR_CODES = [
  /** The configuration cannot be read or does not fit its schema; `details.issues` lists the faults, up to 100. */
  'CONFIG_INVALID',
  /** No driver of that name is registered for the plugin type. */
  'DRIVER_UNKNOWN',
  /** The driver's module did not load: `load()` failed, never settled, or returned something that is no plugin. */
  'DRIVER_INVALID',
  /** An npm package that the driver needs is not installed; the message holds the install command. */
  'PEER_MISSING',
  /** The plugin type is switched off in the configuration. */
  'PLUGIN_DISABLED',
  /** The named thing (plugin, experiment, run, artifact, model, queue, task) does not exist. */
  'NOT_FOUND',
  /** A thing of that name exists already. */
  'ALREADY_EXISTS',
  /** The call does not fit the state of the thing: a deleted run, predict before train, a second writer of a param. */
  'CONFLICT',
  /** The plugin is not initialized yet, or has been shut down. */
  'CLOSED',
  /** A deadline passed. */
  'TIMEOUT',
  /** The caller's AbortSignal fired. */
  'ABORTED',
  /** The backend cannot be reached. */
  'UNAVAILABLE',
  /** The driver declares by `supports` that it cannot do this. */
  'UNSUPPORTED',
  /** An argument is wrong: the message names it and says what is expected. */
  'INVALID_ARGUMENT',
  /** A payload, argument or result cannot be carried as JSON, or is too large. */
  'PAYLOAD_INVALID',
  /** The backend refused the credentials. */
  'UNAUTHORIZED',
  /** A delivery can no longer be settled: its connection or lease is gone and the message will come again. */
  'DELIVERY_LOST',
  /** The result was kept for its time and then removed. */
  'RESULT_EXPIRED',
  /** Another process owns the embedded store. */
  'STORE_LOCKED',
  /** The task ended with an error: `details` holds its type, message and stack. */
  'TASK_FAILED',
  /** The task was cancelled or expired before it ended. */
  'TASK_REVOKED',
  /** A fault of the hub or a driver itself. */
  'INTERNAL',
] as const;

/** One of {@link HUB_ERROR_CODES}. */
export type HubErrorCode = (typeof HUB_ERROR_CODES)[number];

/** What {@link HubError} carries beside code and message. */
export interface HubErrorOptions {
  /** Plugin type, e.g. `mlops`. */
  plugin?: string;
  /** Driver name, e.g. `local`. */
  driver?: string;
  /** The method that failed, e.g. `createExperiment`. */
  operation?: string;
  /** The underlying error; it is stored as a redacted copy. */
  cause?: unknown;
  /** JSON-safe facts for programs, such as the list of configuration faults. */
  details?: Record<string, unknown>;
}

const BRAND = Symbol.for('nestjs-experiment-hub.HubError');

/**
 * The one error class of the hub. Branch on {@link HubError.code}; recognise it with {@link HubError.is}, which also
 * works when two copies of the package are loaded. Credentials in URLs are removed from message and cause.
 */
export class HubError extends Error {
  /** @internal */
  readonly [BRAND] = true;
  /** Stable code, see {@link HUB_ERROR_CODES}. */
  readonly code: HubErrorCode;
  /** Plugin type the error comes from, when there is one. */
  readonly plugin?: string;
  /** Driver the error comes from, when there is one. */
  readonly driver?: string;
  /** Method that failed, when there is one. */
  readonly operation?: string;
  /** JSON-safe facts for programs. */
  readonly details: Record<string, unknown>;

  constructor(code: HubErrorCode, message: string, options: HubErrorOptions = {}) {
    super(redactUrls(prefix(options) + message), {
      ...(options.cause === undefined ? {} : { cause: redactError(options.cause) }),
    });
    this.name = 'HubError';
    this.code = code;
    if (options.plugin !== undefined) this.plugin = options.plugin;
    if (options.driver !== undefined) this.driver = options.driver;
    if (options.operation !== undefined) this.operation = options.operation;
    this.details = options.details ?? {};
  }

  /** Whether `value` is a HubError (of this or another copy of the package), optionally with one of `codes`. */
  static is(value: unknown, ...codes: HubErrorCode[]): value is HubError {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
    return codes.length === 0 || codes.includes((value as HubError).code);
  }

  /** Code, message, source and details as plain JSON, for logs and HTTP answers. The stack and the cause stay out. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, plugin, driver, operation, details } = this;
    return { name, code, message, plugin, driver, operation, details };
  }
}

/** The message of anything thrown, with credentials in URLs removed. Never throws, whatever the value does. */
export function errorMessage(error: unknown): string {
  try {
    // Typed as text, but what a library puts there is its own affair: some hold a list or nothing.
    return redactUrls(String(error instanceof Error ? error.message : error));
  } catch {
    return 'an error that cannot be shown';
  }
}

function prefix({ plugin, driver, operation }: HubErrorOptions): string {
  const source = [plugin, driver].filter((part) => part !== undefined).join('/');
  if (source === '') return operation === undefined ? '' : `${operation}: `;
  return operation === undefined ? `[${source}] ` : `[${source}] ${operation}: `;
}
