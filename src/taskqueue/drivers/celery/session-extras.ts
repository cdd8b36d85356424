import { randomUUID } from 'node:crypto';
import { throwIfAborted } from '../../../core/deadline.js';
import { HubError } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import {
  checkTaskId,
  checkTimeout,
  namedTask,
  normalizeSubmission,
  type SubmissionRules,
} from '../../taskqueue.validation.js';
import type { TaskRoute } from './broker/task-route.js';
import type {
  CeleryCanvasOptions,
  CeleryExtras,
  CeleryGroup,
  CelerySignature,
  CelerySubmitOptions,
} from './celery.extras.js';
import type { CeleryOptions } from './celery.options.js';
import type { CelerySession, OutgoingTask } from './celery.session.js';
import { followEvents, type CeleryEvent } from './control/celery-events.js';
import { INSPECT_METHODS, inspectWorkers, type InspectAnswer, type InspectMethod } from './control/inspect.js';
import { wireSignature, type SignatureStyle } from './message/signature.js';
import type { TaskEmbed, WireSignature } from './message/task-message.js';

/** {@link CeleryExtras} of an open plugin. */
export class SessionExtras implements CeleryExtras {
  // Hidden, since they hold passwords: somebody may print this.
  readonly #session: CelerySession;
  readonly #options: CeleryOptions;
  readonly #rules: (operation: string) => SubmissionRules;

  constructor(session: CelerySession, options: CeleryOptions, rules: (operation: string) => SubmissionRules) {
    this.#session = session;
    this.#options = options;
    this.#rules = rules;
  }

  async submit(name: string, options: CelerySubmitOptions = {}): Promise<string> {
    const { exchange, routingKey, softTimeLimit, ignoreResult, link, linkError, signal, ...task } = options;
    const rules = this.#rules('submit');
    throwIfAborted(signal, rules.source);
    const now = Date.now();
    const checked = normalizeSubmission(namedTask(name, task), rules, now);
    if (softTimeLimit !== undefined) checkLimits(softTimeLimit, task.timeLimit, rules);
    const style = this.#style(rules);
    const embed: TaskEmbed = {
      ...(link === undefined ? {} : { callbacks: link.map((one) => wireSignature(one, style).wire) }),
      ...(linkError === undefined ? {} : { errbacks: linkError.map((one) => wireSignature(one, style).wire) }),
    };
    const route = this.#route(exchange, routingKey, task.queue, rules);
    const outgoing: OutgoingTask = {
      task: checked,
      ownId: task.taskId !== undefined,
      extras: {
        ...(Object.keys(embed).length === 0 ? {} : { embed }),
        ...(softTimeLimit === undefined ? {} : { softTimeLimit }),
        ...(ignoreResult === undefined ? {} : { ignoreResult }),
      },
      ...(route === undefined ? {} : { route }),
    };
    await this.#session.submit([outgoing], now, { operation: 'submit', signal });
    return checked.taskId;
  }

  async chain(tasks: readonly CelerySignature[], options: CeleryCanvasOptions = {}): Promise<string[]> {
    const rules = this.#rules('chain');
    const [first, ...others] = tasks;
    if (first === undefined) throw new HubError('INVALID_ARGUMENT', 'a chain has at least one task.', rules.source);
    const rest = others.map((one) => wireSignature(one, this.#style(rules)));
    const [taskId] = await this.#submitAll('chain', [first], options, () => ({
      // The next one last: workers take them from the end.
      ...(rest.length === 0 ? {} : { embed: { chain: rest.map(({ wire }): WireSignature => wire).reverse() } }),
    }));
    return [taskId ?? '', ...rest.map((one) => one.taskId)];
  }

  async group(tasks: readonly CelerySignature[], options: CeleryCanvasOptions = {}): Promise<CeleryGroup> {
    const groupId = randomUUID();
    const taskIds = await this.#submitAll('group', tasks, options, (index) => ({ group: { id: groupId, index } }));
    return { groupId, taskIds };
  }

  async forget(taskId: string): Promise<void> {
    checkTaskId(taskId, this.#rules('forget').source);
    await this.#session.results.forget([taskId]);
    this.#session.known.ended(taskId);
  }

  async revoke(
    taskIds: string | readonly string[],
    { terminate = false, signal = 'SIGTERM' }: { terminate?: boolean; signal?: string } = {},
  ): Promise<void> {
    const { source } = this.#rules('revoke');
    const ids = typeof taskIds === 'string' ? [taskIds] : [...taskIds];
    for (const id of ids) checkTaskId(id, source);
    if (!/^SIG[A-Z0-9]+$/.test(signal))
      throw new HubError('INVALID_ARGUMENT', 'signal has to be like SIGTERM.', source);
    await this.#session.broker.cast({ method: 'revoke', arguments: { task_id: ids, terminate, signal } });
  }

  async inspect(
    method: InspectMethod,
    options: { arguments?: JsonObject; destination?: readonly string[]; timeout?: number } = {},
  ): Promise<Record<string, InspectAnswer>> {
    const { source } = this.#rules('inspect');
    const { arguments: given = {}, destination, timeout = this.#options.controlTimeout } = options;
    checkTimeout(timeout, source);
    // What changes workers is not to be had by a name that comes from somewhere else.
    if (!INSPECT_METHODS.includes(method)) {
      throw new HubError('INVALID_ARGUMENT', `inspect knows ${INSPECT_METHODS.join(', ')}.`, source);
    }
    return inspectWorkers(this.#session.broker, { method, arguments: given, destination }, timeout);
  }

  events({ signal }: { signal?: AbortSignal } = {}): AsyncIterable<CeleryEvent> {
    return followEvents(this.#session.broker, this.#session.closed, signal, this.#rules('events').source);
  }

  async enableEvents(enabled = true): Promise<void> {
    await this.#session.broker.cast({ method: enabled ? 'enable_events' : 'disable_events', arguments: {} });
  }

  async #submitAll(
    operation: string,
    tasks: readonly CelerySignature[],
    { signal, ...shared }: CeleryCanvasOptions,
    extras: (index: number) => NonNullable<OutgoingTask['extras']>,
  ): Promise<string[]> {
    const rules = this.#rules(operation);
    throwIfAborted(signal, rules.source);
    const now = Date.now();
    const outgoing = tasks.map(({ immutable: _immutable, ...task }, index) => ({
      task: normalizeSubmission({ ...shared, ...task }, rules, now),
      ownId: task.taskId !== undefined,
      extras: extras(index),
    }));
    if (outgoing.length > 0) await this.#session.submit(outgoing, now, { operation, signal });
    return outgoing.map(({ task }) => task.taskId);
  }

  #style(rules: SubmissionRules): SignatureStyle {
    const { routes, style } = this.#session;
    return { rules, replyTo: style.replyTo, route: (name, queue) => routes.find(name, queue) };
  }

  #route(
    exchange: string | undefined,
    routingKey: string | undefined,
    queue: string | undefined,
    { source }: SubmissionRules,
  ): TaskRoute | undefined {
    if (exchange === undefined && routingKey === undefined) return undefined;
    if (queue !== undefined || exchange === undefined || routingKey === undefined) {
      const text = 'exchange and routingKey go together, in place of queue.';
      throw new HubError('INVALID_ARGUMENT', text, source);
    }
    for (const name of [exchange, routingKey]) {
      if (typeof name === 'string' && Buffer.byteLength(name) <= 255) continue;
      throw new HubError('INVALID_ARGUMENT', 'exchange and routingKey have to be texts of at most 255 bytes.', source);
    }
    return { exchange, routingKey, queue: undefined };
  }
}

function checkLimits(soft: number, hard: number | undefined, { source }: SubmissionRules): void {
  if (Number.isFinite(soft) && soft > 0 && (hard === undefined || soft < hard)) return;
  const text = 'softTimeLimit has to be a number of ms above 0 and below timeLimit.';
  throw new HubError('INVALID_ARGUMENT', text, source);
}
