import { abortError } from '../../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import type { CeleryBroker } from '../broker/celery-broker.js';

/** Most events that wait to be read. */
const MOST = 10_000;

/** What a worker tells. https://docs.celeryq.dev/en/stable/userguide/monitoring.html#event-reference */
export interface CeleryEvent {
  /** E.g. `task-succeeded` or `worker-heartbeat`. */
  type: string;
  /** Node name of the worker. */
  hostname: string;
  /** ms since 1970. */
  timestamp: number;
  /** Of events of tasks. */
  taskId: string | null;
  /** Everything that came, as Celery names it. */
  fields: JsonObject;
}

/** The events in the body of a message: one, or a list of them. Never throws. */
export function eventsIn(body: unknown): CeleryEvent[] {
  const list = Array.isArray(body) ? (body as unknown[]) : [body];
  return list.flatMap((item) => {
    if (typeof item !== 'object' || item === null) return [];
    const fields = item as JsonObject;
    const { type, hostname, timestamp, uuid } = fields;
    if (typeof type !== 'string') return [];
    return [
      {
        type,
        hostname: typeof hostname === 'string' ? hostname : '',
        timestamp: typeof timestamp === 'number' ? Math.round(timestamp * 1_000) : Date.now(),
        taskId: typeof uuid === 'string' ? uuid : null,
        fields,
      },
    ];
  });
}

/**
 * Events from now on, until `signal` fires (`ABORTED`) or `closing` does (`CLOSED`).
 * @param closing fires when the plugin shuts down
 */
export async function* followEvents(
  broker: CeleryBroker,
  closing: AbortSignal,
  signal: AbortSignal | undefined,
  source: HubErrorOptions,
): AsyncGenerator<CeleryEvent> {
  const waiting: CeleryEvent[] = [];
  let wake = (): void => undefined;
  const end = await broker.events((body) => {
    waiting.push(...eventsIn(body));
    if (waiting.length > MOST) waiting.splice(0, waiting.length - MOST);
    wake();
  });
  const stop = (): void => wake();
  closing.addEventListener('abort', stop);
  signal?.addEventListener('abort', stop);
  try {
    for (;;) {
      if (signal?.aborted === true) throw abortError(signal, source);
      if (closing.aborted) throw new HubError('CLOSED', 'the plugin was shut down.', source);
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    closing.removeEventListener('abort', stop);
    signal?.removeEventListener('abort', stop);
    await end();
  }
}
