import { describe, expect, it } from 'vitest';
import { InProcessRunner, type HandlerRegistration } from './in-process-runner.js';

const runner = new InProcessRunner({ plugin: 'taskqueue', driver: 'local' });
const task = { taskId: 't1', name: 'odd', args: [], kwargs: {}, headers: {}, attempt: 1, timeLimit: null };
const hooks = { signal: new AbortController().signal, onProgress: () => undefined };
const run = (handler: HandlerRegistration['handler']) =>
  runner.run(
    task,
    {
      name: 'odd',
      options: {},
      slots: { name: 's', runner, concurrency: 1, active: 0 },
      handler,
    } as HandlerRegistration,
    hooks,
  );

describe('InProcessRunner', () => {
  it.each<[string, unknown]>([
    ['an error whose message is a list', Object.assign(new Error(), { message: ['a'] })],
    ['an error whose stack is a list', Object.assign(new Error(), { stack: ['a'] })],
    ['an object without prototype', Object.create(null)],
    [
      'an error whose stack throws',
      Object.defineProperty(new Error(), 'stack', {
        get() {
          throw new Error('no stack');
        },
      }),
    ],
  ])('ends the run with an outcome when the handler throws %s', async (_what, thrown) => {
    const { outcome } = run(async () => {
      throw thrown;
    });
    expect(await outcome).toMatchObject({ kind: 'error', error: { message: expect.any(String) as string } });
  });

  it('gives a context whose parts can be copied and taken out', async () => {
    const { outcome } = run(async (context) => {
      const { signal, progress } = { ...context };
      await progress(1);
      return [signal === hooks.signal, Object.keys(context)];
    });
    const keys = ['taskId', 'name', 'args', 'kwargs', 'headers', 'attempt', 'signal', 'progress'];
    expect(JSON.parse(((await outcome) as { json: string }).json)).toEqual([true, expect.arrayContaining(keys)]);
  });
});
