import { setTimeout as wait } from 'node:timers/promises';
import { defineTasks, type TaskContext } from '../taskqueue.types.js';

/**
 * The tasks that the contract suite submits. A driver whose workers are not JavaScript (Celery) passes the suite with
 * twins of them: same names, same arguments, same results. All arguments are named ones (kwargs) unless said otherwise.
 *
 * - `contract.echo` (any): `{ args, kwargs, headers, taskId, name, attempt }` as the task got them.
 * - `contract.add` (two positional numbers): their sum.
 * - `contract.nothing`: returns nothing, which counts as `null`.
 * - `contract.fail` `{ message }`: fails with an error class called `ContractError`.
 * - `contract.flaky` `{ failures }`: fails with `ContractError` in the first `failures` attempts, then returns the attempt.
 * - `contract.progress` `{ steps, ms }`: reports `{ step: 1, of: steps }` and so on, `ms` apart, and returns `steps`.
 * - `contract.sleep` `{ ms }`: takes `ms`, stops with an error when it is asked to, otherwise returns `'slept'`.
 * - `contract.spin` `{ ms }`: computes for `ms` without listening to anybody, then returns `'spun'`.
 * - `contract.unserializable`: returns what JSON cannot carry.
 * - `contract.exit` `{ times }`: ends its worker in the first `times` attempts, then returns the attempt.
 * - `contract.next`: how many times this worker has run it; tells order where one worker runs one task at a time.
 */
export default defineTasks({
  'contract.echo': ({ args, kwargs, headers, taskId, name, attempt }) => ({
    args,
    kwargs,
    headers,
    taskId,
    name,
    attempt,
  }),
  'contract.add': ({ args }) => Number(args[0]) + Number(args[1]),
  'contract.nothing': () => undefined,
  'contract.fail': ({ kwargs }) => {
    throw new ContractError(String(kwargs['message']));
  },
  'contract.flaky': ({ kwargs, attempt }) => {
    if (attempt <= Number(kwargs['failures'])) throw new ContractError(`attempt ${attempt} fails`);
    return attempt;
  },
  'contract.progress': async (task) => {
    const steps = Number(task.kwargs['steps']);
    for (let step = 1; step <= steps; step += 1) {
      await task.progress({ step, of: steps });
      await wait(Number(task.kwargs['ms'] ?? 0), undefined, { signal: task.signal });
    }
    return steps;
  },
  'contract.sleep': async ({ kwargs, signal }) => {
    await wait(Number(kwargs['ms']), undefined, { signal });
    return 'slept';
  },
  'contract.spin': ({ kwargs }) => {
    const end = Date.now() + Number(kwargs['ms']);
    while (Date.now() < end);
    return 'spun';
  },
  'contract.unserializable': () => ({ fine: 1, big: 10n }),
  'contract.exit': ({ kwargs, attempt }) => {
    if (attempt <= Number(kwargs['times'])) process.exit(3);
    return attempt;
  },
  'contract.next': (_task: TaskContext) => (runs += 1),
});

let runs = 0;

/** The error of tasks that are meant to fail. */
class ContractError extends Error {
  override readonly name = 'ContractError';
}
