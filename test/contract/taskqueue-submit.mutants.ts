import { rm } from 'node:fs/promises';
import { FINAL_TASK_STATES } from '../../src/taskqueue/taskqueue.types.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import { changeSubmit } from './change-submit.js';
import { replace, type Mutant } from './mutant.js';

/** Mutants of submitting, of when tasks start, and of what a restart keeps. */
export const submitMutants: Mutant<TaskQueuePlugin>[] = [
  {
    name: 'loses the last task of a batch',
    caughtBy: /^submit > submitTasks resolves to the ids in order, and runs them all$/,
    hangs: true,
    mutate: (plugin) =>
      replace(plugin, 'submitTasks', (original) => async (tasks, options) => {
        const ids = await original(tasks.slice(0, -1), options);
        return tasks.length === 0 ? ids : [...ids, tasks.at(-1)?.taskId ?? 'lost'];
      }),
  },
  {
    name: 'swaps results',
    caughtBy: /^submit > submitTasks resolves to the ids in order, and runs them all$/,
    mutate(plugin) {
      const other = new Map<string, string>();
      replace(plugin, 'submitTasks', (original) => async (...args) => {
        const ids = await original(...args);
        ids.forEach((id, index) => other.set(id, ids[ids.length - 1 - index] ?? id));
        return ids;
      });
      replace(plugin, 'getResult', (original) => async <T>(id: string, options?: object): Promise<T> => {
        return original(other.get(id) ?? id, options);
      });
    },
  },
  {
    name: 'runs a task twice',
    caughtBy: /^in process > a task that succeeds runs once$/,
    mutate: (plugin) =>
      replace(plugin, 'submitTask', (original) => async (name, options) => {
        await original(name, { ...options, taskId: `twin-${Math.random().toString(36).slice(2)}` });
        return original(name, options);
      }),
  },
  {
    name: 'does not run tasks of another queue',
    caughtBy: /^submit > runs tasks of another queue$/,
    hangs: true,
    mutate: (plugin) =>
      replace(plugin, 'submitTask', (original) => async (name, options = {}) => {
        return original(name, options.queue === undefined ? options : { ...options, countdown: 600_000 });
      }),
  },
  {
    name: 'drops headers',
    caughtBy: /^submit > carries args, kwargs, headers, id, name and attempt to the task$/,
    mutate: (plugin) => changeSubmit(plugin, ({ headers: _headers, ...options }) => options),
  },
  {
    name: 'submits a known id again (no dedup)',
    caughtBy: /^submit > an id that exists submits nothing with supports\.dedup/,
    mutate(plugin) {
      const newest = new Map<string, string>();
      replace(plugin, 'submitTask', (original) => async (name, options = {}) => {
        const { taskId } = options;
        if (taskId === undefined || !newest.has(taskId)) {
          const id = await original(name, options);
          newest.set(id, id);
          return id;
        }
        newest.set(taskId, await original(name, { ...options, taskId: `${taskId}-again` }));
        return taskId;
      });
      replace(plugin, 'getResult', (original) => async <T>(id: string, options?: object): Promise<T> => {
        return original(newest.get(id) ?? id, options);
      });
    },
  },
  {
    name: 'submits the good part of a bad batch',
    caughtBy: /^submit > submitTasks submits nothing when one of the tasks is wrong$/,
    mutate: (plugin) =>
      replace(plugin, 'submitTasks', () => async (tasks) => {
        const ids: string[] = [];
        for (const { name, ...options } of tasks) ids.push(await plugin.submitTask(name, options));
        return ids;
      }),
  },
  {
    name: 'submits what its signal has given up',
    caughtBy: /^submit > an aborted signal submits nothing$/,
    mutate: (plugin) => changeSubmit(plugin, ({ signal: _signal, ...options }) => options),
  },
  {
    name: 'counts workers that are not there',
    caughtBy: /^submit > workers names what can run the tasks, and ping counts those that answer$/,
    mutate: (plugin) => replace(plugin, 'ping', (original) => async (options) => (await original(options)) + 1),
  },
  {
    name: 'ignores countdown',
    caughtBy: /^schedule > countdown: the task does not start before its time$/,
    mutate: (plugin) => changeSubmit(plugin, ({ countdown: _countdown, ...options }) => options),
  },
  {
    name: 'ignores eta',
    caughtBy: /^schedule > eta: the task does not start before its time$/,
    mutate: (plugin) => changeSubmit(plugin, ({ eta: _eta, ...options }) => options),
  },
  {
    name: 'ignores expires',
    caughtBy: /^schedule > expires \(ms\): a task that has not started by then is revoked$/,
    mutate: (plugin) => changeSubmit(plugin, ({ expires: _expires, ...options }) => options),
  },
  {
    name: 'revokes an expired task that has started',
    caughtBy: /^schedule > expires: a task that has started in time is left alone$/,
    mutate: (plugin) =>
      replace(plugin, 'submitTask', (original) => async (name, options = {}) => {
        const id = await original(name, options);
        const { expires } = options;
        if (typeof expires === 'number') setTimeout(() => void plugin.cancel(id).catch(() => undefined), expires);
        return id;
      }),
  },
  {
    name: 'ignores priority',
    caughtBy: /^priority > starts higher priorities first/,
    mutate: (plugin) => changeSubmit(plugin, ({ priority: _priority, ...options }) => options),
  },
  {
    name: 'reverses priorities',
    caughtBy: /^priority > starts higher priorities first/,
    mutate: (plugin) => changeSubmit(plugin, (options) => ({ ...options, priority: 9 - (options.priority ?? 0) })),
  },
  {
    name: 'loses results on restart',
    caughtBy: /^restart > results and failures can be read again/,
    onDisk: true,
    mutate: forget,
  },
  {
    name: 'loses waiting tasks on restart',
    caughtBy: /^restart > a task that was submitted before runs after$/,
    onDisk: true,
    hangs: true,
    mutate: forget,
  },
  {
    name: 'says PENDING for ever',
    caughtBy: /^result > a finished task is SUCCESS with its times/,
    mutate: (plugin) =>
      replace(plugin, 'getStatus', (original) => async (id) => {
        const status = await original(id);
        return FINAL_TASK_STATES.includes(status.state) ? { ...status, state: 'PENDING' as const } : status;
      }),
  },
];

function forget(plugin: TaskQueuePlugin, { dataDir }: { dataDir: string }): void {
  replace(plugin, 'initialize', (original) => async () => {
    if (plugin.phase === 'new') await rm(dataDir, { recursive: true, force: true });
    await original();
  });
}
