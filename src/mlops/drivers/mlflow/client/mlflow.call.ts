import { abortError, MAX_TIMER_MS } from '../../../../core/deadline.js';
import { HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';

/** What ends a call before its answer. */
export interface CallLimits {
  /** Address of the server, for messages. */
  server: string;
  /** ms for all attempts; Infinity for none. */
  deadline: number;
  /** The caller's signal. */
  signal: AbortSignal | undefined;
}

/** One call of the application, with all its attempts: its deadline, the caller's signal and the closing of the client. */
export class Call {
  readonly #controller = new AbortController();
  readonly #end: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort: () => void;

  constructor({ server, deadline, signal }: CallLimits) {
    this.#end = performance.now() + deadline;
    this.#caller = signal;
    this.#onAbort = () => this.#controller.abort(abortError(signal, MLFLOW_SOURCE));
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (deadline > MAX_TIMER_MS) return;
    this.#timer = setTimeout(() => {
      const message = `no answer from ${server} within ${deadline} ms.`;
      this.#controller.abort(new HubError('UNAVAILABLE', message, { ...MLFLOW_SOURCE, details: { transient: true } }));
    }, deadline);
  }

  /** Fires with a HubError as its reason when the call is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** ms until the deadline. */
  get remaining(): number {
    return this.#end - performance.now();
  }

  /** Ends the call with `error`. */
  cancel(error: HubError): void {
    this.#controller.abort(error);
  }

  /** Lets go of timer and signal. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }
}
