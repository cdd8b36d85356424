import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANARIES, canariesIn } from './canaries.js';
import { CanaryRoom } from './canary-room.js';
import { runChild } from './run-child.js';
import type { Failure } from './vault.driver.js';

/** Several processes start at once, in ms. */
const TIMEOUT = 180_000;

let room: CanaryRoom;
beforeAll(async () => {
  room = await CanaryRoom.open();
});
afterAll(() => room.close());

describe('canary secrets in the output of a process with Nest’s own log', () => {
  const run = async (
    failAt: readonly Failure[],
    options: { required?: boolean; more?: object; control?: string } = {},
  ) => {
    const { code, stdout, stderr } = await runChild('canary.child.ts', [
      await room.configFile(failAt, options),
      options.control ?? '',
    ]);
    return { code, output: stdout + stderr };
  };

  it.concurrent.each<[string, Failure[], object, string]>([
    ['initialize', ['initialize'], {}, 'initialize refused'],
    ['subscribe of @OnData', ['subscribe'], {}, 'subscribe refused'],
    ['its schema', [], { more: { pin: CANARIES.password } }, 'config.pin'],
  ])(
    'a boot that fails at %s',
    async (_what, failAt, options, said) => {
      const { code, output } = await run(failAt, options);
      expect(output).toContain(said);
      expect(canariesIn(output)).toEqual([]);
      expect(code).not.toBe(0);
    },
    TIMEOUT,
  );

  it.concurrent(
    'a life with faults from beginning to end',
    async () => {
      const { code, output } = await run(['health', 'call', 'drain', 'shutdown']);
      for (const said of [
        'health refused',
        'flushQueue refused',
        'drain refused',
        'shutdown refused',
        'Consumer.receive',
        'closed',
      ])
        expect(output).toContain(said);
      expect(canariesIn(output)).toEqual([]);
      expect(code).toBe(0);
    },
    TIMEOUT,
  );

  it.concurrent(
    'an optional driver that does not start',
    async () => {
      const { code, output } = await run(['initialize'], { required: false });
      expect(output).toContain('trying again');
      expect(canariesIn(output)).toEqual([]);
      expect(code).toBe(0);
    },
    TIMEOUT,
  );

  it.concurrent(
    'the control, which prints an error that is not redacted, is seen',
    async () => {
      const { output } = await run(['raw'], { control: 'raw' });
      expect(canariesIn(output).length).toBeGreaterThan(5);
    },
    TIMEOUT,
  );
});
