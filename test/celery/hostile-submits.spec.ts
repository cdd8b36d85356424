import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubError } from '../../src/core/errors.js';
import type { JsonObject } from '../../src/core/json.js';
import type { CelerySubmitOptions } from '../../src/taskqueue/drivers/celery/celery.extras.js';
import type { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import { testSeed } from '../durability/seeded-random.js';
import type { CeleryWorker } from '../support/celery-worker.js';
import { BROKERS, CeleryRoom } from './celery-room.js';
import { hostileSubmit, type HostileSubmit } from './hostile-values.js';

const SUBMITS = 2_000;
/** Submits and waits at once. */
const LANES = 32;
/** How long one task may take, in ms, behind all the others and new worker processes. */
const PATIENCE = 60_000;
const REFUSALS = ['INVALID_ARGUMENT', 'PAYLOAD_INVALID', 'UNSUPPORTED'];
/** Words of a worker that has lost a message or itself. */
const DISASTER = /Unrecoverable error|Can't decode|Received invalid task|Received and deleted|CRITICAL/;

interface Submit {
  name: unknown;
  options: Partial<HostileSubmit>;
}

/** What became of a submit, as a word. */
type Outcome = 'refused' | 'echoed' | 'failed' | 'revoked';

/** What JSON makes of it. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Whether nobody wants to wait for its time. */
function isFarOff({ eta, countdown }: Partial<HostileSubmit>): boolean {
  const ms = eta instanceof Date ? eta.getTime() - Date.now() : Number(countdown ?? 0);
  return ms > 5_000;
}

/** Whether a submit that was taken has asked for the failure. */
function isFair(type: unknown, { name, options }: Submit): boolean {
  const { kwargs, timeLimit, softTimeLimit } = options;
  const isTiny = (ms: unknown): boolean => typeof ms === 'number' && ms <= 1;
  switch (type) {
    case 'NotRegistered':
      return name !== 'contract.echo';
    case 'TypeError':
      return Object.hasOwn((kwargs ?? {}) as object, 'self');
    case 'TimeLimitExceeded':
      return isTiny(timeLimit);
    case 'SoftTimeLimitExceeded':
    // It came while the result was written, or the arguments read.
    case 'EncodeError':
    case 'DecodeError':
      return isTiny(softTimeLimit);
    default:
      return false;
  }
}

/** A submit, short enough to be read. */
function shown({ name, options }: Submit): string {
  const text = JSON.stringify([name, options], (_key, value: unknown) => {
    if (typeof value === 'string' && value.length > 100) return `${value.slice(0, 100)}… (${value.length})`;
    return ['bigint', 'symbol', 'function'].includes(typeof value) || Object.is(value, -0) ? String(value) : value;
  });
  return text.slice(0, 1_500);
}

for (const { broker, missing, note } of BROKERS) {
  describe.skipIf(missing)(`hostile submits over ${broker}${note}`, { timeout: 300_000 }, () => {
    let room: CeleryRoom;
    let worker: CeleryWorker;
    beforeEach(async () => {
      room = await CeleryRoom.open({ broker });
      worker = await room.worker({ maxPriority: 9 });
    });
    afterEach(() => room.close());

    /** Ends in the outcome, or throws for what must not be. */
    async function play(plugin: CeleryPlugin, submit: Submit, sent: Set<string>): Promise<Outcome> {
      const { name, options } = submit;
      let taskId: string;
      try {
        taskId = await plugin.extras.submit(name as string, options as CelerySubmitOptions);
      } catch (error) {
        if (HubError.is(error) && REFUSALS.includes(error.code)) return 'refused';
        throw error;
      }
      sent.add(taskId);
      // A worker keeps it until then.
      if (isFarOff(options)) await plugin.cancel(taskId);
      try {
        const result = await plugin.getResult<JsonObject>(taskId, { timeout: PATIENCE });
        const expected = asJson({
          args: options.args ?? [],
          kwargs: options.kwargs ?? {},
          headers: options.headers ?? {},
        });
        const { args, kwargs, headers } = result;
        if (!isDeepStrictEqual({ args, kwargs, headers }, expected)) {
          throw new Error(`it was echoed as ${JSON.stringify(result).slice(0, 2_000)}`);
        }
        return 'echoed';
      } catch (error) {
        if (HubError.is(error, 'TASK_REVOKED')) return 'revoked';
        if (!HubError.is(error, 'TASK_FAILED')) throw error;
        if (!isFair(error.details?.['type'], submit)) throw error;
        return 'failed';
      }
    }

    it(`${SUBMITS} random ones are refused, echoed, or fail; the worker lives on`, async () => {
      const seed = testSeed();
      console.log(`hostile submits over ${broker}: HUB_TEST_SEED=${seed}`);
      const submits = fc.sample(hostileSubmit, { seed, numRuns: SUBMITS });
      const plugins = [
        await room.plugin({ maxPriority: 9, showArguments: true }),
        await room.plugin({ maxPriority: 9, timezone: 'Asia/Kathmandu' }),
      ];
      const sent = new Set<string>();
      const outcomes: Record<Outcome, number> = { refused: 0, echoed: 0, failed: 0, revoked: 0 };
      const faults: string[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let index = next++; index < submits.length; index = next++) {
          const [submit, plugin] = [submits[index], plugins[index % 2]];
          if (submit === undefined || plugin === undefined) continue;
          try {
            outcomes[await play(plugin, submit, sent)] += 1;
          } catch (error) {
            faults.push(`${index}: ${String(error).slice(0, 2_000)}\n${shown(submit)}`);
          }
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      console.log(`hostile submits over ${broker}: ${JSON.stringify(outcomes)}`);
      expect(faults).toEqual([]);
      expect(outcomes.refused).toBeGreaterThan(SUBMITS / 5);
      expect(outcomes.echoed).toBeGreaterThan(SUBMITS / 5);
      expect(Math.min(outcomes.failed, outcomes.revoked)).toBeGreaterThan(0);

      const log = await worker.log();
      expect(log.split('\n').filter((line) => DISASTER.test(line))).toEqual([]);
      // What was refused never came to it.
      const received = [...log.matchAll(/Task contract\.echo\[([^\]]*)\] received/g)].map(([, taskId]) => taskId);
      expect(received.filter((taskId) => !sent.has(taskId ?? ''))).toEqual([]);
      expect(new Set(received).size).toBeGreaterThan(outcomes.echoed);
      expect(worker.alive).toBe(true);
      expect(await sum(plugins[0])).toBe(3);
    });
  });
}

async function sum(plugin: CeleryPlugin | undefined): Promise<unknown> {
  return plugin?.getResult(await plugin.submitTask('contract.add', { args: [1, 2] }), { timeout: PATIENCE });
}
