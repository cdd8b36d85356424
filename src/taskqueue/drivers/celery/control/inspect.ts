import { sleep } from '../../../../core/deadline.js';
import type { JsonObject, JsonValue } from '../../../../core/json.js';
import type { WorkerInfo } from '../../../taskqueue.types.js';
import type { CeleryBroker, ControlCommand } from '../broker/celery-broker.js';

/** What workers can be asked; each only tells. */
export const INSPECT_METHODS = [
  'ping',
  'active',
  'reserved',
  'scheduled',
  'revoked',
  'registered',
  'stats',
  'active_queues',
  'query_task',
  'conf',
  'report',
  'clock',
] as const;
/** One of {@link INSPECT_METHODS}. */
export type InspectMethod = (typeof INSPECT_METHODS)[number];

/** What a worker answered, as Celery has it; `{ error }` when it does not know the method. */
export type InspectAnswer = JsonValue;

/**
 * Sends a command and gathers what each worker answers within `timeout` ms. Where the broker tells how many workers heard it,
 * it ends with the last of them; elsewhere, and when one does not answer, it takes the whole time.
 */
export async function inspectWorkers(
  broker: CeleryBroker,
  command: ControlCommand,
  timeout: number,
): Promise<Record<string, InspectAnswer>> {
  const answers = new Map<string, InspectAnswer>();
  const complete = new AbortController();
  let expected = Infinity;
  const call = await broker.call(command, (reply) => {
    for (const [worker, answer] of Object.entries(reply)) answers.set(worker, answer);
    if (answers.size >= expected) complete.abort();
  });
  try {
    expected = command.destination?.length ?? call.workers ?? Infinity;
    if (answers.size < expected) await sleep(timeout, complete.signal).catch(() => undefined);
  } finally {
    call.end();
  }
  return Object.fromEntries([...answers].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The workers that answer within `timeout` ms, with what they can run and how much of it they do. */
export async function listWorkers(broker: CeleryBroker, timeout: number): Promise<WorkerInfo[]> {
  const ask = (method: InspectMethod): Promise<Record<string, InspectAnswer>> =>
    inspectWorkers(broker, { method, arguments: {} }, timeout);
  const [registered, stats, active] = await Promise.all([ask('registered'), ask('stats'), ask('active')]);
  return Object.keys(stats).map((name) => ({
    name,
    // `registered` may add what else it was asked for: "tasks.add [rate_limit=None]".
    tasks: listOf(registered[name]).map((task) => String(task).split(' ')[0] ?? ''),
    active: listOf(active[name]).length,
    concurrency: concurrencyOf(stats[name]),
  }));
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function concurrencyOf(stats: JsonValue | undefined): number {
  const pool = objectOf(objectOf(stats)['pool']);
  const most = pool['max-concurrency'];
  return typeof most === 'number' && most >= 1 ? most : 1;
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
