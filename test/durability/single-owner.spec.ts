import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExperimentHubModule } from '../../src/index.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import { readLedger, type LedgerLine } from './ledger.js';
import { streamOptions } from './stream-ledger.js';

const PROGRAM = fileURLToPath(new URL('./owner.child.ts', import.meta.url));
const DEADLINE = { timeout: 30_000, interval: 5 };

/** A process that opens the folder, and what it reports. */
class Owner {
  readonly process: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  #output = '';

  constructor(folder: string) {
    this.process = spawn(process.execPath, ['--import', 'tsx', PROGRAM, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#closed = once(this.process, 'close');
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  /** What it reported, from `ready` on. */
  get ledger(): LedgerLine[] {
    return readLedger(this.#output);
  }

  /** Lets it open the folder. */
  go(): void {
    this.process.stdin?.write('go\n');
  }

  get written(): number {
    return Number(this.ledger.findLast(([event]) => event === 'wrote')?.[1] ?? 0);
  }

  /** `kill -9`; resolves to how it ended when it is dead and all it said was read. */
  async kill(): Promise<unknown[]> {
    this.process.kill('SIGKILL');
    return this.#closed;
  }
}

describe('single owner of a folder', () => {
  let folder: string;
  let owners: Owner[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-owner-'));
    owners = [];
  });
  afterEach(async () => {
    for (const owner of owners) await owner.kill();
    await rm(folder, { recursive: true, force: true });
  });

  function own(): Owner {
    const owner = new Owner(folder);
    owners.push(owner);
    return owner;
  }

  const plugins = {
    datastream: () => new LocalDataStreamPlugin(streamOptions(folder)),
    taskqueue: () => new LocalTaskQueuePlugin({ dataDir: folder }),
  };

  it('a second process gets STORE_LOCKED with the pid and what to do; kill -9 frees the lock at once', async () => {
    const owner = own();
    owner.go();
    await expect.poll(() => owner.written, DEADLINE).toBeGreaterThan(5);
    const { pid } = owner.process;
    for (const create of Object.values(plugins)) {
      const refused = await create()
        .initialize()
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'STORE_LOCKED', details: { pid } });
      const { message } = refused as Error;
      expect(message).toContain(`process ${pid} since 2`);
      expect(message).toContain(folder);
      expect(message).toContain('stop the other one');
      expect(message).toContain('dataDir of its own');
      expect(message).toContain('rabbitmq, bullmq, celery');
    }
    const local = { type: 'local', config: { dataDir: folder } };
    const hub = ExperimentHubModule.forRoot({
      config: { plugins: { mlops: local, datastream: local, taskqueue: local } },
    });
    const boot = NestFactory.createApplicationContext(hub, { logger: false, abortOnError: false });
    await expect(boot).rejects.toThrow(new RegExp(`in use by process ${pid}\\b`));

    // The owner never noticed, and is still the one who is named.
    const written = owner.written;
    await expect.poll(() => owner.written, DEADLINE).toBeGreaterThan(written + 5);
    expect(await readFile(join(folder, 'tasks.db.owner'), 'utf8')).toContain(`"pid":${pid}`);

    expect(await owner.kill()).toEqual([null, 'SIGKILL']);
    const began = performance.now();
    const stream = plugins.datastream();
    const tasks = plugins.taskqueue();
    await stream.initialize();
    await tasks.initialize();
    const took = performance.now() - began;
    console.log(`single owner: both stores open ${took.toFixed(1)} ms after kill -9 of their owner`);
    expect(took).toBeLessThan(2_000);
    expect((await stream.queueInfo('work')).ready).toBeGreaterThanOrEqual(owner.written);
    expect(await tasks.getStatus(`m-${owner.written}`)).toMatchObject({ name: 'nobody', state: 'PENDING' });
    expect(await readFile(join(folder, 'tasks.db.owner'), 'utf8')).toContain(`"pid":${process.pid}`);
    await stream.shutdown();
    await tasks.shutdown();
  }, 90_000);

  it('of processes that start together one gets the folder, and the others are told its pid', async () => {
    const racers = [own(), own(), own()];
    const lines = (count: number) => () => racers.every(({ ledger }) => ledger.length >= count);
    await expect.poll(lines(1), DEADLINE).toBe(true);
    for (const racer of racers) racer.go();
    await expect.poll(lines(2), DEADLINE).toBe(true);
    const said = racers.map(({ ledger }) => ledger[1]);
    const winner = racers.find(({ ledger }) => ledger[1]?.[0] === 'open');
    expect(said.filter((line) => line?.[0] === 'open')).toEqual([['open', winner?.process.pid]]);
    expect(said.filter((line) => line?.[0] === 'locked')).toEqual(Array(2).fill(['locked', winner?.process.pid]));
  }, 90_000);
});
