import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../src/core/contract.js';
import type { JsonObject, JsonValue } from '../../src/core/json.js';
import type { CeleryEvent } from '../../src/taskqueue/drivers/celery/control/celery-events.js';
import type { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { BROKERS, CeleryRoom } from './celery-room.js';

/** Most time for one task, in ms. */
const TIMEOUT = 30_000;
/** An argument that nobody shall see in events. */
const SECRET = 'canary-argument';
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What a task of the canvas returns. */
interface Place {
  id: string;
  root: string;
  parent: string | null;
  group: string | null;
  index: number | null;
}

/** Results with each id replaced by what it is: its number in the list, or its name. */
function named(value: unknown, ids: readonly string[], others: Readonly<Record<string, string>> = {}): unknown {
  let text = JSON.stringify(value);
  ids.forEach((id, index) => (text = text.replaceAll(id, `task ${index}`)));
  for (const [name, id] of Object.entries(others)) text = text.replaceAll(id, name);
  // Of groups that a worker makes: which they are does not matter, but which are the same.
  const made = [...new Set(text.match(UUID) ?? [])];
  made.forEach((id, index) => (text = text.replaceAll(id, `made ${index}`)));
  return JSON.parse(text);
}

for (const { broker, missing, note } of BROKERS) {
  describe.skipIf(missing)(`a Python client and the hub over ${broker}${note}`, { timeout: 90_000 }, () => {
    /** One worker sends events from its start, the other when it is told to. */
    const hasEvents = broker === 'redis';
    let room: CeleryRoom;
    let plugin: CeleryPlugin;
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hub-celery-client-'));
      room = await CeleryRoom.open({ broker });
      [plugin] = await Promise.all([room.plugin(), room.worker({ events: hasEvents })]);
    });
    afterAll(async () => {
      await room.close();
      await rm(folder, { recursive: true, force: true });
    });

    const python = (...args: readonly string[]): Promise<unknown> => room.script('python_client.py', ...args);
    const ended = async (taskId: string): Promise<void> => {
      await plugin.getResult(taskId, { timeout: TIMEOUT }).catch(() => undefined);
    };

    it('Python reads by AsyncResult what became of tasks of the hub', async () => {
      const args = [1, 'zwei', null, { deep: [true] }];
      const succeeded = await plugin.submitTask('contract.echo', {
        args,
        kwargs: { k: '\u{1F600}' },
        headers: { h: 1 },
      });
      const failed = await plugin.submitTask('contract.fail', { args: ['on purpose'] });
      const expired = await plugin.submitTask('contract.nothing', { expires: new Date(Date.now() - 1_000) });
      const late = await plugin.submitTask('contract.nothing', { countdown: 60_000 });
      await plugin.cancel(late);
      const working = await plugin.submitTask('contract.progress', { args: [3, 3_000] });
      await Promise.all([succeeded, failed, expired, late].map(ended));
      await eventually(async () => (await plugin.getStatus(working)).state === 'PROGRESS', 'the task reports');
      const result = {
        args,
        kwargs: { k: '\u{1F600}' },
        headers: { h: 1 },
        taskId: succeeded,
        name: 'contract.echo',
        attempt: 1,
      };
      const revoked = (reason: string) => {
        return { state: 'REVOKED', result: { type: 'TaskRevokedError', args: [reason] }, traceback: null };
      };
      expect(await python('read', succeeded, failed, expired, late, working, randomUUID())).toEqual([
        { state: 'SUCCESS', result, traceback: null },
        {
          state: 'FAILURE',
          result: { type: 'ContractError', args: ['on purpose'] },
          traceback: expect.stringContaining('on purpose') as string,
        },
        revoked('expired'),
        revoked('revoked'),
        {
          state: 'PROGRESS',
          result: { sequence: 1, attempt: 1, data: { step: 1, of: 3 }, timestamp: expect.any(Number) as number },
          traceback: null,
        },
        { state: 'PENDING', result: null, traceback: null },
      ]);
      await plugin.cancel(working);
      await ended(working);
    });

    it('Python waits for a task of the hub', async () => {
      const taskId = await plugin.submitTask('contract.add', { args: [1, 2], countdown: 1_500 });
      expect(await python('wait', taskId)).toBe(3);
    });

    it('the hub follows tasks that Python has submitted: result, failure, state, progress', async () => {
      const [added, failing, working] = [randomUUID(), randomUUID(), randomUUID()];
      expect((await plugin.getStatus(added)).name).toBeNull();
      const reports: unknown[] = [];
      const followed = (async () => {
        for await (const { sequence, data } of plugin.progress(working)) reports.push([sequence, data]);
      })();
      await Promise.all([
        python('submit', 'contract.add', '[20, 22]', added),
        python('submit', 'contract.fail', '["theirs"]', failing),
        python('submit', 'contract.progress', '[3, 100]', working),
      ]);
      expect(await plugin.getResult(added, { timeout: TIMEOUT })).toBe(42);
      await expect(plugin.getResult(failing, { timeout: TIMEOUT })).rejects.toMatchObject({
        code: 'TASK_FAILED',
        details: { type: 'ContractError', message: 'theirs', stack: expect.stringContaining('Traceback') as string },
      });
      await followed;
      expect(reports).toEqual([1, 2, 3].map((step) => [step, { step, of: 3 }]));
      expect(await plugin.getStatus(working)).toMatchObject({ state: 'SUCCESS', attempt: 1, error: null });
      expect(await plugin.cancel(added)).toBe('finished');
    });

    it('celery inspect sees what runs and what waits for its time', async () => {
      const running = await plugin.submitTask('contract.spin', { args: [60_000] });
      const later = await plugin.submitTask('contract.echo', { args: [SECRET], countdown: 60_000 });
      await eventually(async () => (await plugin.getStatus(running)).state === 'STARTED', 'the task runs', 30_000);
      // The worker takes the tasks in their order, but one after the other.
      const waiting = async () => Object.values(await plugin.extras.inspect('scheduled', { timeout: 1_000 }));
      await eventually(async () => JSON.stringify(await waiting()).includes(later), 'the other one waits', 30_000);
      const [worker = ''] = Object.keys(await plugin.extras.inspect('ping', { timeout: 5_000 }));
      const inspect = async (method: string): Promise<JsonValue[]> => {
        // One that is named ends the wait with its answer; without, the whole time would pass each time.
        const to = ['--json', '--destination', worker, '--timeout', '30'];
        const answers = JSON.parse(await room.celery('inspect', method, ...to)) as JsonObject;
        expect(Object.keys(answers)).toEqual([worker]);
        return Object.values(answers)[0] as JsonValue[];
      };
      const [active, scheduled, registered] = await Promise.all(['active', 'scheduled', 'registered'].map(inspect));
      // Celery answers with the arguments themselves, whatever it is told to show of them.
      expect(active).toEqual([expect.objectContaining({ id: running, name: 'contract.spin', args: [60_000] })]);
      expect(scheduled).toEqual([
        expect.objectContaining({ request: expect.objectContaining({ id: later, name: 'contract.echo' }) as object }),
      ]);
      expect(registered).toEqual(expect.arrayContaining(['contract.echo', 'canvas.step']));
      const ours = (['active', 'scheduled', 'registered'] as const).map(async (method) => {
        return Object.values(await plugin.extras.inspect(method, { timeout: 30_000, destination: [worker] }))[0];
      });
      expect(await Promise.all(ours)).toEqual([active, scheduled, registered]);
      await Promise.all([running, later].map((taskId) => plugin.cancel(taskId)));
      await Promise.all([running, later].map(ended));
    });

    it('canvas gives the same as in Python: sums, ids, roots and parents', async () => {
      const theirs = (await python('canvas')) as Record<'chain' | 'group' | 'link' | 'linkError', JsonObject>;
      const results = (ids: readonly string[]): Promise<Place[]> =>
        Promise.all(ids.map((taskId) => plugin.getResult<never>(taskId, { timeout: TIMEOUT })));
      const step = (value: number) => ({ name: 'canvas.step', args: [value] });

      const chain = await plugin.extras.chain([step(1), step(10), { ...step(100), immutable: true }, step(1_000)]);
      const ours = named(await results(chain), chain);
      expect(ours).toEqual(named(theirs.chain['results'], theirs.chain['ids'] as string[]));
      expect(ours).toMatchObject([
        { sum: 1 },
        { sum: 11, root: 'task 0', parent: 'task 0' },
        { sum: 100 },
        { sum: 1_100 },
      ]);

      const group = await plugin.extras.group([step(1), step(2), step(3)]);
      expect(named(await results(group.taskIds), group.taskIds, { group: group.groupId })).toEqual(
        named(theirs.group['results'], theirs.group['ids'] as string[], { group: theirs.group['id'] as string }),
      );

      const linked = [randomUUID(), randomUUID()] as const;
      const link = [
        { ...step(5), taskId: linked[0] },
        { ...step(7), taskId: linked[1], immutable: true },
      ];
      const first = await plugin.extras.submit('canvas.step', { args: [1], link });
      const all = [first, ...linked];
      expect(named(await results(all), all)).toEqual(named(theirs.link['results'], theirs.link['ids'] as string[]));

      const mourner = randomUUID();
      const linkError = [{ name: 'canvas.mourn', taskId: mourner }];
      const failed = await plugin.extras.submit('contract.fail', { args: ['on purpose'], linkError });
      expect(named(await results([mourner]), [mourner], { failed })).toEqual(
        named(theirs.linkError['results'], theirs.linkError['ids'] as string[], {
          failed: theirs.linkError['failed'] as string,
        }),
      );
    });

    it('events: the hub and Python see the same, without the arguments, from a worker with -E and from one that was told', async () => {
      const taskId = randomUUID();
      const file = join(folder, 'listening');
      const captured = python('events', file, taskId) as Promise<JsonObject[]>;
      const stop = new AbortController();
      const heard: CeleryEvent[] = [];
      const listening = (async () => {
        for await (const event of plugin.extras.events({ signal: stop.signal })) {
          if (event.taskId === taskId) heard.push(event);
        }
      })().catch((error: unknown) => error);
      await Promise.race([captured, eventually(() => existsSync(file), 'Python listens', TIMEOUT)]);
      const before = await plugin.submitTask('contract.nothing');
      await ended(before);
      if (!hasEvents) await plugin.extras.enableEvents();
      await plugin.submitTask('contract.echo', { taskId, args: [SECRET], kwargs: { SECRET }, countdown: 500 });
      const theirs = await captured;
      await eventually(() => heard.some(({ type }) => type === 'task-succeeded'), 'the hub hears of the end');
      stop.abort();
      expect(await listening).toMatchObject({ code: 'ABORTED' });
      await plugin.extras.enableEvents(false);
      expect(theirs.map(({ type }) => type)).toEqual(['task-received', 'task-started', 'task-succeeded']);
      expect(theirs[0]).toMatchObject({ name: 'contract.echo', args: '(hidden)', kwargs: '{hidden}', root_id: taskId });
      expect(heard.map(({ type }) => type)).toEqual(theirs.map(({ type }) => type));
      expect(heard[0]?.fields).toMatchObject({ args: '(hidden)', kwargs: '{hidden}', name: 'contract.echo' });
      // The result of this task has its arguments in it.
      expect(JSON.stringify([theirs.slice(0, 2), heard.slice(0, 2)])).not.toContain(SECRET);
    });
  });
}
