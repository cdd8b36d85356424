import { HubError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { putAround, type ObservedCalls } from '../core/observed-calls.js';
import type { PluginLabels } from '../core/plugin.metrics.js';
import { secondsSince, type SpanAttributes, type SpanStart, type Telemetry } from '../core/telemetry.js';
import type { RunHandle, RunnableTask, RunOutcome } from './runner/run-outcome.js';
import type { TaskRunObserver } from './runner/task-run-observer.js';
import { TASK_METRICS } from './taskqueue.metrics.js';
import type { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { SubmitOptions, TaskState, TaskSubmission } from './taskqueue.types.js';

const PLAIN = ['getStatus', 'cancel', 'workers', 'ping'] as const satisfies readonly (keyof TaskQueuePlugin)[];

/**
 * Tells of the calls of a TaskQueue plugin. A task carries the context of the span that submitted it, as a message does:
 * see `observeStream`.
 */
export function observeTasks(tasks: TaskQueuePlugin, calls: ObservedCalls): TaskRunObserver {
  const told = new TaskTelemetry(calls.telemetry, calls.labels);
  calls.putAround(tasks, PLAIN);
  calls.putAroundSteps(tasks, ['progress']);
  putAround<TaskQueuePlugin>(tasks, {
    submitTask: async (next, name, options) => {
      const start = told.span('send', name, { 'messaging.message.id': options?.taskId });
      const taskId = await calls.call(
        'submitTask',
        async (span) => {
          const id = await next(name, told.carrying(options ?? {}));
          span.set({ 'messaging.message.id': id });
          return id;
        },
        start,
      );
      told.submitted(name);
      return taskId;
    },
    submitTasks: async (next, submissions, options) => {
      const list: readonly TaskSubmission[] = Array.isArray(submissions) ? submissions : [];
      const start = told.span('send', undefined, { 'messaging.batch.message_count': list.length });
      const ids = await calls.call('submitTasks', () => next(told.carryingAll(submissions), options), start);
      for (const { name } of list) told.submitted(name);
      return ids;
    },
    getResult: async (next, taskId, options) => {
      try {
        const result = await calls.call('getResult', () => next(taskId, options));
        told.ended('SUCCESS');
        return result;
      } catch (error) {
        if (HubError.is(error, 'TASK_FAILED')) told.ended('FAILURE');
        if (HubError.is(error, 'TASK_REVOKED')) told.ended('REVOKED');
        throw error;
      }
    },
  });
  return told;
}

/** What is told of the tasks of one plugin. */
export class TaskTelemetry implements TaskRunObserver {
  readonly #name: string;
  readonly #driver: string;

  constructor(
    private readonly telemetry: Telemetry,
    { name, driver }: PluginLabels,
  ) {
    this.#name = name;
    this.#driver = driver;
  }

  get threadContext(): string | undefined {
    return this.telemetry.threadContext;
  }

  span(operation: 'send' | 'process', task: string | undefined, attributes: SpanAttributes): SpanStart {
    return {
      name: task === undefined ? operation : `${operation} ${task}`,
      kind: operation === 'send' ? 'producer' : 'consumer',
      attributes: {
        'messaging.system': this.#driver,
        'messaging.operation.name': operation,
        'messaging.operation.type': operation,
        // What a worker subscribes to by name; queues are how it is carried.
        'messaging.destination.name': task,
        ...attributes,
      },
    };
  }

  submitted(task: string): void {
    this.telemetry.report(TASK_METRICS.submitted, 1, this.#labels(task));
  }

  ended(state: TaskState): void {
    this.telemetry.report(TASK_METRICS.ended, 1, { name: this.#name, driver: this.#driver, state });
  }

  carrying<Options extends SubmitOptions | TaskSubmission>(options: Options): Options {
    const headers = this.telemetry.inject(options.headers);
    return headers === undefined || headers === options.headers ? options : { ...options, headers };
  }

  carryingAll(submissions: readonly TaskSubmission[]): readonly TaskSubmission[] {
    const hasContext = this.telemetry.inject() !== undefined;
    return hasContext && Array.isArray(submissions) ? submissions.map((task) => this.carrying(task)) : submissions;
  }

  run(task: RunnableTask, start: (headers: JsonObject) => RunHandle): RunHandle {
    const { telemetry } = this;
    const labels = this.#labels(task.name);
    const began = performance.now();
    const attributes = { 'messaging.message.id': task.taskId, 'experiment_hub.task.attempt': task.attempt };
    let handle: RunHandle | undefined;
    telemetry.report(TASK_METRICS.inFlight, 1, labels);
    const outcome = telemetry.span(
      { ...this.span('process', task.name, attributes), parent: task.headers, links: [task.headers] },
      async (span) => {
        // The handler sees this span as the one that it is part of, in a thread as well.
        handle = start(telemetry.inject(telemetry.strip(task.headers)) ?? task.headers);
        const end = await handle.outcome;
        telemetry.report(TASK_METRICS.inFlight, -1, labels);
        telemetry.report(TASK_METRICS.run, secondsSince(began), { ...labels, outcome: outcomeLabel(end) });
        if (end.kind === 'error' || end.kind === 'lost') span.fail(end.error.type, end.error.message);
        if (end.kind === 'killed') span.fail('killed', 'it was ended');
        return end;
      },
    );
    return { outcome, kill: () => handle?.kill() ?? false };
  }

  #labels(task: string): Record<'name' | 'driver' | 'task', string> {
    return { name: this.#name, driver: this.#driver, task };
  }
}

function outcomeLabel({ kind }: RunOutcome): string {
  return kind === 'result' ? 'ok' : kind;
}
