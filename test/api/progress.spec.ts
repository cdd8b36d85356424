import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TaskQueuePlugin, type TaskContext } from '../../src/index.js';
import { HubApiProgressStreams } from '../../src/api/progress/progress-streams.js';
import { adapters, ApiApp, TOKEN } from './api-app.js';

interface Event {
  event: string;
  data: Record<string, unknown>;
}

/** Longest wait for an event, in ms. */
const PATIENCE = 30_000;

/** The events of a stream, as they come. A connection of its own: the pool of `fetch` opens another one for a client that leaves. */
class Events {
  readonly #chunks: AsyncIterator<string>;
  #text = '';

  private constructor(private readonly answer: IncomingMessage) {
    this.#chunks = answer.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
  }

  static async open(url: string): Promise<Events> {
    const sent = httpRequest(url, { headers: { authorization: `Bearer ${TOKEN}` }, agent: false });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    return new Events(answer);
  }

  /** The next event, or `undefined` at the end. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.trimStart().indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.trimStart().slice(0, end);
        this.#text = this.#text.trimStart().slice(end + 2);
        const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        return { event: field('event'), data: JSON.parse(field('data')) as Record<string, unknown> };
      }
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#text += value;
    }
  }

  async rest(): Promise<Event[]> {
    const all: Event[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) all.push(event);
    return all;
  }

  leave(): void {
    this.answer.destroy();
  }
}

describe.each(Object.keys(adapters) as (keyof typeof adapters)[])('progress streams on %s', (adapter) => {
  let api: ApiApp;
  /** Tasks that run and wait for their next step. */
  const steps = new Map<string, (step: 'report' | 'end') => void>();
  const stepwise = async ({ taskId, progress, signal }: TaskContext): Promise<string> => {
    for (let count = 1; ; count++) {
      const step = await Promise.race([
        new Promise<'report' | 'end'>((resolve) => steps.set(taskId, resolve)),
        once(signal, 'abort').then(() => 'end' as const),
      ]);
      if (step === 'end') return 'done';
      await progress({ count });
    }
  };

  beforeAll(async () => {
    api = await ApiApp.open({
      adapter,
      api: { limits: { heartbeat: 100, streams: 3 } },
      tasks: { slow: stepwise },
    });
  });
  afterAll(() => api.close());

  const begin = async (app = api): Promise<string> => {
    const { taskId } = (await app.post<{ taskId: string }>('/api/tasks', { name: 'slow' })).body;
    await vi.waitFor(() => expect(steps.has(taskId)).toBe(true), { timeout: PATIENCE, interval: 10 });
    return taskId;
  };
  const open = (taskId: string, app = api): Promise<Events> => Events.open(`${app.url}/api/tasks/${taskId}/progress`);
  const noneOpen = (): Promise<void> =>
    vi.waitFor(() => expect(api.app.get(HubApiProgressStreams, { strict: false }).count).toBe(0), {
      timeout: PATIENCE,
      interval: 10,
    });

  it('a report comes while the task runs, and the end when it has ended', async () => {
    const taskId = await begin();
    const events = await open(taskId);
    expect(await events.next()).toMatchObject({ event: 'heartbeat' });
    steps.get(taskId)?.('report');
    let event = await events.next();
    while (event?.event === 'heartbeat') event = await events.next();
    expect(event).toMatchObject({ event: 'progress', data: { data: { count: 1 }, attempt: 1 } });
    expect(await events.next()).toMatchObject({ event: 'heartbeat' });
    await vi.waitFor(() => expect(steps.has(taskId)).toBe(true), { timeout: PATIENCE });
    steps.get(taskId)?.('end');
    const rest = (await events.rest()).filter(({ event: name }) => name !== 'heartbeat');
    expect(rest).toEqual([{ event: 'end', data: { taskId, reason: 'finished', state: 'SUCCESS' } }]);
    await noneOpen();
  });

  it('when the client leaves, what reads the task is aborted', async () => {
    const taskId = await begin();
    const progress = vi.spyOn(api.app.get(TaskQueuePlugin), 'progress');
    const events = await open(taskId);
    await events.next();
    const signal = progress.mock.calls.at(-1)?.[1]?.signal;
    expect(signal?.aborted).toBe(false);
    events.leave();
    await vi.waitFor(() => expect(signal?.aborted).toBe(true), { timeout: PATIENCE, interval: 10 });
    progress.mockRestore();
    await noneOpen();
    steps.get(taskId)?.('end');
  });

  it('there are so many at once and no more', async () => {
    const taskId = await begin();
    const many = await Promise.all([open(taskId), open(taskId), open(taskId)]);
    expect(await api.problem('GET', `/api/tasks/${taskId}/progress`)).toMatchObject({ status: 503 });
    for (const events of many) events.leave();
    await noneOpen();
    const again = await open(taskId);
    again.leave();
    steps.get(taskId)?.('end');
  });

  it('an error on the way is an event without what is not for callers', async () => {
    const taskId = await begin();
    const progress = vi.spyOn(api.app.get(TaskQueuePlugin), 'progress').mockImplementationOnce(() => {
      throw new Error('canary at /var/secret');
    });
    const events = await (await open(taskId)).rest();
    progress.mockRestore();
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { status: 500, code: 'INTERNAL' } });
    expect(JSON.stringify(events)).not.toContain('canary');
    steps.get(taskId)?.('end');
  });

  it('follows a training by its run', async () => {
    const { body, headers } = await api.post<{ taskId: string }>('/api/experiments/toy/train');
    const events = await (await Events.open(`${api.url}${headers.get('location')}/progress`)).rest();
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { taskId: body.taskId, state: 'SUCCESS' } });
    expect(events).toContainEqual(
      expect.objectContaining({
        event: 'progress',
        data: expect.objectContaining({ data: { step: 2, metrics: { loss: 0.25 } } }),
      }),
    );
  });

  it('a HEAD does not hold the connection', async () => {
    const taskId = await begin();
    const answer = await api.send('HEAD', `/api/tasks/${taskId}/progress`);
    expect(answer).toMatchObject({ status: 200, body: '' });
    await noneOpen();
    steps.get(taskId)?.('end');
  });

  it('ends by itself after its longest time, and with the application', async () => {
    const bounded = await ApiApp.open({
      adapter,
      api: { limits: { stream: 300, heartbeat: 50 } },
      tasks: { slow: stepwise },
    });
    const taskId = await begin(bounded);
    const events = await (await open(taskId, bounded)).rest();
    expect(events.filter(({ event }) => event === 'heartbeat').length).toBeGreaterThan(1);
    expect(events.at(-1)).toEqual({ event: 'end', data: { taskId, reason: 'deadline', state: null } });
    steps.get(taskId)?.('end');
    await bounded.close();

    const closing = await ApiApp.open({ adapter, tasks: { slow: stepwise } });
    const other = await begin(closing);
    const stream = await open(other, closing);
    await stream.next();
    const closed = closing.close();
    expect((await stream.rest()).at(-1)).toEqual({
      event: 'end',
      data: { taskId: other, reason: 'shutdown', state: null },
    });
    steps.get(other)?.('end');
    await closed;
  });
});
