import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CeleryWorker, type CeleryWorkerOptions } from './celery-worker.js';
import { neededService } from './needed-service.js';
import { RedisServer } from './redis-server.js';
import { run } from './run-command.js';

const python = neededService('python');
const redis = neededService('redis');
const DEADLINE = { timeout: 15_000, interval: 50 };

/** Submits as a program does that has nothing of ours; prints the results as JSON, or nothing when told not to wait. */
const CLIENT = `
import json, sys
from celery import Celery
url, tasks, waits = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "waits"
app = Celery(broker=url, backend=url)
app.conf.broker_transport_options = app.conf.result_backend_transport_options = {"global_keyprefix": "spec."}
sent = [app.send_task(name, kwargs=kwargs, queue=queue, task_id=id, headers={"trace": id}) for name, kwargs, queue, id in tasks]
if waits:
    results = [task.get(timeout=30, propagate=False) for task in sent]
    print(json.dumps([f"{type(r).__name__}: {r}" if isinstance(r, Exception) else r for r in results]))
`;

type Task = readonly [name: string, kwargs: Record<string, unknown>, queue: string, id: string];

// Python starts several times in a test, which is slow on a busy machine.
describe.skipIf(python.missing || redis.missing)(
  `a Celery worker${python.note}${redis.note}`,
  { timeout: 60_000 },
  () => {
    let server: RedisServer;
    const workers: CeleryWorker[] = [];

    beforeAll(async () => {
      server = await RedisServer.create();
    });
    afterEach(async () => {
      await Promise.all(workers.splice(0).map((worker) => worker.remove()));
    });
    afterAll(async () => server.remove());

    const start = async (options: Partial<CeleryWorkerOptions> = {}): Promise<CeleryWorker> => {
      const { url } = server;
      const all = { python: python.address, broker: url, backend: url, queues: ['first', 'other'], keyPrefix: 'spec.' };
      const worker = await CeleryWorker.start({ ...all, ...options });
      workers.push(worker);
      return worker;
    };
    const client = async (tasks: readonly Task[], waits: 'waits' | 'goes' = 'waits'): Promise<unknown> => {
      const args = ['-c', CLIENT, server.url, JSON.stringify(tasks), waits];
      const out = await run(python.address, args, { timeout: 60_000 });
      return out === '' ? undefined : (JSON.parse(out) as unknown);
    };

    it('runs the twins of the tasks, from all of its queues', async () => {
      const worker = await start();
      expect(worker.alive).toBe(true);
      const results = await client([
        ['contract.echo', { deep: { list: [1, null] } }, 'first', 'spec-echo'],
        ['contract.progress', { steps: 2 }, 'other', 'spec-progress'],
        ['contract.fail', { message: 'on purpose' }, 'first', 'spec-fail'],
        ['contract.retried', { failures: 1, exits: 1 }, 'first', 'spec-retried'],
      ]);
      expect(results).toEqual([
        {
          ...{ args: [], kwargs: { deep: { list: [1, null] } }, headers: { trace: 'spec-echo' } },
          ...{ taskId: 'spec-echo', name: 'contract.echo', attempt: 1 },
        },
        2,
        'ContractError: on purpose',
        { attempt: 3, retries: 1, headers: { trace: 'spec-retried' } },
      ]);
    });

    it('gives a task up that loses its process again and again, and runs others', async () => {
      const worker = await start({ concurrency: 1 });
      const [pid] = await worker.childPids();
      const results = await client([
        ['contract.exit', { times: 1_000 }, 'first', 'spec-exit'],
        ['contract.spin', { ms: 1 }, 'first', 'spec-spin'],
      ]);
      expect(results).toEqual(['WorkerLost: the task lost its worker process 5 times and is not run again', 'spun']);
      expect(await worker.childPids()).toHaveLength(1);
      expect(await worker.childPids()).not.toContain(pid);
    });

    it('lets its tasks end when it is stopped', async () => {
      const worker = await start();
      await client([['contract.sleep', { ms: 1_000 }, 'first', 'spec-sleep']], 'goes');
      await vi.waitFor(async () => expect(await worker.log()).toContain('[spec-sleep] received'), DEADLINE);
      await worker.stop();
      expect(worker.alive).toBe(false);
      expect(await worker.log()).toContain('[spec-sleep] succeeded');
    });

    it('takes its processes with it when it is killed', async () => {
      const worker = await start({ concurrency: 2 });
      const pids = await worker.childPids();
      expect(pids).toHaveLength(2);
      await worker.kill();
      await vi.waitFor(() => expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]), DEADLINE);
      expect(worker.alive).toBe(false);
    });

    it('tells why it did not start', async () => {
      await expect(start({ app: 'no_such_app' })).rejects.toThrow('no_such_app');
    });
  },
);
