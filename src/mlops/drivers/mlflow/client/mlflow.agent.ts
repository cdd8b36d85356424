import { Agent, type Dispatcher } from 'undici';
import type { TlsConnectOptions } from './mlflow.tls.js';

/** Notes whether a request was begun; given to undici as the request's `opaque`. */
export interface SentMark {
  sent: boolean;
  /** Given to undici as the request's signal. */
  readonly signal: AbortSignal;
}

/** What the pool of connections is made with. */
export interface AgentOptions {
  /** Most connections per origin. */
  connections: number;
  /** ms. */
  connectTimeout: number;
  /** Longest wait for the headers of an answer, and for its next bytes, in ms. */
  idleTimeout: number;
  tls: TlsConnectOptions;
}

/**
 * How long an unused connection is kept, in ms, when the server does not say: less than servers keep them (uvicorn 5 s,
 * gunicorn 2 s), so that none is closed under a request. undici's timer for this is exact.
 */
const KEEP_ALIVE = 1_500;

/**
 * Connections kept alive, with a note on each request of whether its first byte was about to be written: one without it
 * surely did not reach the server, whatever error it ended with.
 */
export class MarkingAgent extends Agent {
  constructor({ connections, connectTimeout, idleTimeout, tls }: AgentOptions) {
    super({
      connections,
      keepAliveTimeout: KEEP_ALIVE,
      headersTimeout: idleTimeout,
      bodyTimeout: idleTimeout,
      connect: { timeout: connectTimeout, ...tls },
      autoSelectFamily: true,
      // Node's 250 ms is less than a round trip to a distant server.
      autoSelectFamilyAttemptTimeout: 1_000,
    });
  }

  override dispatch(options: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { opaque } = options as { opaque?: SentMark };
    if (opaque !== undefined) markStart(handler, opaque);
    return super.dispatch(options, handler);
  }
}

/** undici tells a request's handler when it takes a connection; which of two methods it calls depends on its version. */
function markStart(handler: Dispatcher.DispatchHandler, mark: SentMark): void {
  const { onConnect, onRequestStart } = handler;
  if (onConnect === undefined && onRequestStart === undefined) {
    // Nobody would tell: better a request that is not repeated than one that is done twice.
    mark.sent = true;
    return;
  }
  if (onConnect !== undefined) {
    handler.onConnect = (abort) => {
      // One given up while it waited for a connection ends here, unsent.
      if (!mark.signal.aborted) mark.sent = true;
      onConnect.call(handler, abort);
    };
  }
  if (onRequestStart !== undefined) {
    handler.onRequestStart = (controller, context) => {
      if (!mark.signal.aborted) mark.sent = true;
      onRequestStart.call(handler, controller, context);
    };
  }
}
