import { HubError } from '../../src/core/errors.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { SubmitOptions, TaskProgress } from '../../src/taskqueue/taskqueue.types.js';
import { changeSubmit } from './change-submit.js';
import { forgive, replace, type Mutant } from './mutant.js';

/** Mutants of results, retries, progress, cancelling and registering. */
export const runningMutants: Mutant<TaskQueuePlugin>[] = [
  {
    name: 'loses the details of an error',
    caughtBy: /^result > a task that throws is TASK_FAILED with type, message and stack/,
    mutate: (plugin) =>
      changeResult(plugin, (work) =>
        work.catch((error: unknown) => {
          throw HubError.is(error, 'TASK_FAILED') ? new HubError('TASK_FAILED', 'the task failed.') : error;
        }),
      ),
  },
  {
    name: 'turns failures into null',
    caughtBy: /^result > a task that throws is TASK_FAILED/,
    mutate: (plugin) =>
      changeResult(plugin, (work) => work.catch(forgive('TASK_FAILED')).then((value) => value ?? null)),
  },
  {
    name: 'gives undefined for a task that returns nothing',
    caughtBy: /^result > a task that returns nothing has the result null$/,
    mutate: (plugin) => changeResult(plugin, (work) => work.then((value) => value ?? undefined)),
  },
  {
    name: 'ignores the timeout of a wait',
    caughtBy: /^result > getResult gives up at its timeout, and the task goes on$/,
    mutate: (plugin) =>
      replace(plugin, 'getResult', (original) => async <T>(id: string, options = {}): Promise<T> => {
        return original<T>(id, { ...options, timeout: 60_000 });
      }),
  },
  {
    name: 'cancels a task whose caller gave up',
    caughtBy: /^result > getResult gives up at its timeout, and the task goes on$/,
    mutate: (plugin) =>
      replace(plugin, 'getResult', (original) => async <T>(id: string, options?: object): Promise<T> => {
        return original<T>(id, options).catch(async (error: unknown) => {
          if (HubError.is(error, 'TIMEOUT')) await plugin.cancel(id);
          throw error;
        });
      }),
  },
  {
    name: 'never retries',
    caughtBy: /^retry > runs again until it succeeds, with backoff$/,
    mutate: (plugin) => changeSubmit(plugin, ({ retry: _retry, ...options }) => options),
  },
  {
    name: 'retries at once',
    caughtBy: /^retry > runs again until it succeeds, with backoff$/,
    mutate: (plugin) => changeRetry(plugin, { delay: 0 }),
  },
  {
    name: 'retries for ever',
    caughtBy: /^retry > fails with the last error when the attempts are used up$/,
    mutate: (plugin) => changeRetry(plugin, { attempts: 100_000, factor: 1 }),
  },
  {
    name: 'does not count attempts',
    caughtBy: /^retry > runs again until it succeeds, with backoff$/,
    mutate: (plugin) =>
      replace(plugin, 'getStatus', (original) => async (id) => {
        const status = await original(id);
        return { ...status, attempt: Math.min(status.attempt, 1) };
      }),
  },
  {
    name: 'drops the last progress report',
    caughtBy: /^progress > yields reports in order, the last one always, and ends with the task$/,
    mutate: (plugin) =>
      replace(
        plugin,
        'progress',
        (original) =>
          async function* (...args) {
            let held: TaskProgress | undefined;
            for await (const report of original(...args)) {
              if (held !== undefined) yield held;
              held = report;
            }
          },
      ),
  },
  {
    name: 'drops all progress reports',
    caughtBy: /^in process > progress reaches the outside/,
    mutate: (plugin) =>
      replace(plugin, 'registerTask', (original) => (name, handler, options) => {
        return original(name, (task) => handler({ ...task, progress: async () => undefined }), options);
      }),
  },
  {
    name: 'ignores the cancel of a waiting task',
    caughtBy: /^cancel and time limit > a task that waits for its time does not run after cancel$/,
    mutate: (plugin) => replace(plugin, 'cancel', () => async () => 'requested' as const),
  },
  {
    name: 'ignores the cancel of a running task',
    caughtBy: /^cancel and time limit > a running task is asked to stop, and is REVOKED when it has$/,
    hangs: true,
    mutate: (plugin) => replace(plugin, 'cancel', () => async () => 'requested' as const),
  },
  {
    name: 'says that it cancelled an unknown task',
    caughtBy: /^cancel and time limit > cancel of an unknown task is NOT_FOUND$/,
    mutate: (plugin) =>
      replace(plugin, 'cancel', (original) => async (id) => {
        return (await original(id).catch(forgive('NOT_FOUND'))) ?? 'cancelled';
      }),
  },
  {
    name: 'ignores the time limit',
    caughtBy: /^cancel and time limit > a task that takes longer than its time limit fails$/,
    hangs: true,
    mutate: (plugin) => changeSubmit(plugin, ({ timeLimit: _timeLimit, ...options }) => options),
  },
  {
    name: 'takes a second registration of a name without a word',
    caughtBy: /^in process > a name can be registered once$/,
    mutate: (plugin) =>
      replace(plugin, 'registerTask', (original) => async (...args) => {
        await original(...args).catch(forgive('ALREADY_EXISTS'));
      }),
  },
  {
    name: 'drains without waiting for what runs',
    caughtBy: /^in process > drain waits for what runs and starts nothing new$/,
    mutate: (plugin) => replace(plugin, 'drain', (original) => async () => void original()),
  },
];

function changeRetry(plugin: TaskQueuePlugin, retry: SubmitOptions['retry']): void {
  changeSubmit(plugin, (options) =>
    options.retry === undefined ? options : { ...options, retry: { ...options.retry, ...retry } },
  );
}

function changeResult(plugin: TaskQueuePlugin, change: (work: Promise<unknown>) => Promise<unknown>): void {
  replace(plugin, 'getResult', (original) => async <T>(id: string, options?: object): Promise<T> => {
    return (await change(original(id, options))) as T;
  });
}
