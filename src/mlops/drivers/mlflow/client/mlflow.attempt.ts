import { HubError } from '../../../../core/errors.js';
import { connectionError } from './mlflow.connection-errors.js';
import type { SentMark } from './mlflow.agent.js';
import type { Call } from './mlflow.call.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';

/** What an attempt needs to know of its request. */
export interface AttemptOptions {
  method: string;
  /** Address of the server, for messages. */
  server: string;
  /** Most time from the beginning to the last byte of the answer, in ms; Infinity for none. */
  timeout: number;
}

/** One sending of a request: ends with its call or at its own time limit, and says what an error of it means. */
export class Attempt implements SentMark {
  /** Whether the request was begun to be written. */
  sent = false;
  readonly #controller = new AbortController();
  readonly #call: Call;
  readonly #options: AttemptOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onEnd: () => void;
  #isOver = false;

  constructor(call: Call, options: AttemptOptions) {
    this.#call = call;
    this.#options = options;
    this.#onEnd = () => this.#controller.abort(call.signal.reason);
    if (call.signal.aborted) this.#onEnd();
    else call.signal.addEventListener('abort', this.#onEnd, { once: true });
    if (!Number.isFinite(options.timeout)) return;
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller.abort(new Error('the time limit of the attempt has passed'));
    }, options.timeout);
  }

  /** Fires when the attempt is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the server may have acted on the request, as far as a failure to hear of it goes. */
  get isMaybeDone(): boolean {
    return this.sent && this.#options.method !== 'GET';
  }

  /** The HubError of what was thrown while the attempt ran. */
  errorOf(error: unknown): HubError {
    const { server, timeout } = this.#options;
    if (this.#call.signal.aborted) return this.#endError(this.#call.signal.reason);
    if (HubError.is(error)) return error;
    const details = { transient: true, ...(this.isMaybeDone ? { maybeDone: true } : {}) };
    if (!this.#isOver) return connectionError(error, server, details);
    return new HubError('UNAVAILABLE', `${server} did not answer within ${timeout} ms.`, {
      ...MLFLOW_SOURCE,
      details: { ...details, timedOut: true },
    });
  }

  /** Lets go of timer and signal. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener('abort', this.#onEnd);
  }

  #endError(reason: unknown): HubError {
    if (!HubError.is(reason)) return connectionError(reason, this.#options.server, {});
    if (this.isMaybeDone && !('maybeDone' in reason.details)) reason.details['maybeDone'] = true;
    return reason;
  }
}
