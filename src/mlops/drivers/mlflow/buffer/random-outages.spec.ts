import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomFrom, testSeed } from '../../../../../test/durability/seeded-random.js';
import { point, pointText, ScriptedRuns } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { HubError } from '../../../../core/errors.js';
import { RunWriteBuffer } from './run-write-buffer.js';

const RUNS = ['a', 'b', 'c'];

/** What one run was told: acknowledged steps, and what its tag has to be in the end. */
class Told {
  readonly stored: number[] = [];
  readonly refused: number[] = [];
  tag = '';
}

/** Writes at random to a server with random faults, and restarts on the same folder. */
class RandomRound {
  readonly server = new ScriptedRuns();
  readonly told = new Map(RUNS.map((runId) => [runId, new Told()]));
  readonly #writes: Promise<void>[] = [];
  #step = 0;

  constructor(
    private readonly folder: string,
    private readonly random: () => number,
  ) {}

  async play(): Promise<void> {
    for (let life = 0; life < 4; life += 1) {
      const buffer = await this.#open();
      for (let turn = 0; turn < 40; turn += 1) await this.#turn(buffer);
      await buffer.close();
      await Promise.all(this.#writes);
      // A request of the former life that takes effect later than one of the next is beyond what a client can prevent.
      await expect.poll(() => this.server.active, { timeout: 5_000, interval: 1 }).toBe(0);
    }
    this.server.comeBack();
    const last = await this.#open();
    const flushed = await last.flush().catch((error: unknown) => error);
    if (flushed !== undefined) expect(flushed).toMatchObject({ code: 'CONFLICT' });
    for (const runId of RUNS) await last.end(runId, 'FINISHED', 1);
    expect(last.status()).toMatchObject({ state: 'up', buffered: 0, spooled: 0, rejected: this.#rejectedLater() });
    await last.close();
  }

  /** Acknowledged while the server was away, and refused later. */
  #rejectedLater(): number {
    return [...this.told.values()].flatMap(({ stored }) => stored.filter(isBad)).length;
  }

  #open(): Promise<RunWriteBuffer> {
    return RunWriteBuffer.open(this.server, {
      spool: { folder: this.folder },
      retry: { delay: 2, factor: 1.5, maxDelay: 10, jitter: 0.5 },
      concurrency: 2,
      maxBuffered: this.random() < 0.5 ? 30 : 1_000,
    });
  }

  async #turn(buffer: RunWriteBuffer): Promise<void> {
    if (this.random() < 0.15) this.#changeWeather();
    const count = Math.floor(this.random() * 20);
    for (let index = 0; index < count; index += 1) this.#write(buffer);
    if (this.random() < 0.5) await sleep(Math.floor(this.random() * 6));
    // May reject while the server is away.
    if (this.random() < 0.05) await buffer.flush().catch(() => undefined);
  }

  #changeWeather(): void {
    const { server, random } = this;
    server.delay = Math.floor(random() * 4);
    const share = random() < 0.4 ? 0 : random();
    server.fault = () => {
      if (random() >= share) return undefined;
      return { error: new HubError(random() < 0.5 ? 'UNAVAILABLE' : 'TIMEOUT', 'a fault'), after: random() < 0.5 };
    };
  }

  #write(buffer: RunWriteBuffer): void {
    const runId = RUNS[Math.floor(this.random() * RUNS.length)] ?? 'a';
    const told = this.told.get(runId) ?? new Told();
    this.#step += 1;
    const step = this.#step;
    const batch = point(step, isBad(step) ? 'bad' : 'loss');
    // Params of one key and value: never in one request, never in conflict.
    if (step % 5 === 0) batch.params.push(['p', 'same']);
    const tag = step % 3 === 0 && !isBad(step);
    if (tag) batch.tags.push(['at', String(step)]);
    const stored = buffer.write(runId, batch).then(
      () => {
        told.stored.push(step);
        if (tag && Number(told.tag) < step) told.tag = String(step);
      },
      (error: unknown) => {
        if (!HubError.is(error, 'INVALID_ARGUMENT')) throw error;
        told.refused.push(step);
      },
    );
    this.#writes.push(stored);
  }
}

function isBad(step: number): boolean {
  return step % 23 === 0;
}

describe('random outages and restarts', () => {
  const seed = testSeed();
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  it.each(Array.from({ length: 6 }, (_, round) => seed + round))(
    'lose, double and reorder nothing (HUB_TEST_SEED=%i)',
    async (roundSeed) => {
      const folder = await mkdtemp(join(tmpdir(), 'hub-random-'));
      const round = new RandomRound(folder, randomFrom(roundSeed));
      await round.play();
      let acknowledged = 0;
      for (const [runId, told] of round.told) {
        const { points, tags, status, pointsAtEnd } = round.server.run(runId);
        const expected = told.stored.filter((step) => !isBad(step)).toSorted((a, b) => a - b);
        acknowledged += told.stored.length;
        // The order of arrival, too: it is the order of the calls.
        expect([...points]).toEqual(expected.map((step) => pointText(step)));
        expect(told.refused.every(isBad)).toBe(true);
        expect(tags.get('at') ?? '').toBe(told.tag);
        expect({ status, pointsAtEnd }).toEqual({ status: 'FINISHED', pointsAtEnd: points.size });
      }
      expect(acknowledged).toBeGreaterThan(200);
      expect(round.server.peakPerRun).toBe(1);
      expect(round.server.peak).toBeLessThanOrEqual(2);
      await rm(folder, { recursive: true, force: true });
    },
  );
});
