import assert from 'node:assert/strict';
import { HubError, type HubErrorCode } from './errors.js';
import type { HubPlugin } from './plugin.js';

/**
 * The test functions that a contract suite needs; those of Vitest, Jest, Mocha and `node:test` all fit. Assertions are
 * made with `node:assert`, so that no runner is a dependency. What the functions return is not looked at (`node:test`
 * returns promises of its own).
 */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void> | void): unknown;
  beforeEach(body: () => Promise<void> | void): unknown;
  afterEach(body: () => Promise<void> | void): unknown;
}

/** How a suite gets plugins of the driver under test. */
export interface ContractHarness<Plugin extends HubPlugin> {
  /** A new plugin, not initialized, on a backend (or a part of one) that holds nothing and that nobody else uses. */
  create(): Promise<Plugin>;
  /**
   * A new plugin, not initialized, on the same backend as `plugin`, which has been shut down. Needed by drivers that
   * declare `supports.durable` (or `durableResults`): what was acknowledged has to be there again.
   */
  reopen?(plugin: Plugin): Promise<Plugin>;
  /** Removes what `create` made. Called after each test with the plugin shut down. */
  cleanup?(plugin: Plugin): Promise<void>;
}

/** A suite in progress: the plugin under test and its life. */
export interface ContractSubject<Plugin extends HubPlugin> {
  /** The open plugin of the running test. */
  readonly plugin: Plugin;
  /** Shuts the plugin down and opens a new one on the same backend, which then is {@link plugin}. */
  restart(): Promise<Plugin>;
}

/**
 * Opens a fresh plugin before each test of the surrounding `describe` and closes it after.
 * @internal
 */
export function contractSubject<Plugin extends HubPlugin>(
  runner: ContractRunner,
  harness: ContractHarness<Plugin>,
): ContractSubject<Plugin> {
  let current: Plugin | undefined;
  runner.beforeEach(async () => {
    current = await harness.create();
    await current.initialize();
  });
  runner.afterEach(async () => {
    if (current === undefined) return;
    await current.shutdown();
    await harness.cleanup?.(current);
    current = undefined;
  });
  const plugin = (): Plugin => {
    assert.ok(current, 'the plugin is used outside a test');
    return current;
  };
  return {
    get plugin() {
      return plugin();
    },
    async restart() {
      assert.ok(harness.reopen, 'a durable driver needs harness.reopen');
      const old = plugin();
      await old.drain();
      await old.shutdown();
      current = await harness.reopen(old);
      await current.initialize();
      return current;
    },
  };
}

/** Asserts that `work` rejects (or an iterator's first step does) with a HubError of one of `codes`. */
export async function rejectsWith(work: () => unknown, ...codes: HubErrorCode[]): Promise<HubError> {
  try {
    const result = await work();
    if (isAsyncIterable(result)) await result[Symbol.asyncIterator]().next();
  } catch (error) {
    assert.ok(HubError.is(error), `expected a HubError, got ${String(error)}`);
    assert.ok(codes.includes(error.code), `expected ${codes.join(' or ')}, got ${error.code}: ${error.message}`);
    return error;
  }
  throw new assert.AssertionError({ message: `expected a rejection with ${codes.join(' or ')}` });
}

/** All items of an async iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Waits until `condition` holds; fails after `timeoutMs`. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  what: string,
  timeoutMs = 5_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * What holds for every plugin of every type: life and health.
 * @param calls one call per port method, to prove that a plugin that is not open rejects each with `CLOSED`
 * @internal
 */
export function lifeContract<Plugin extends HubPlugin>(
  runner: ContractRunner,
  harness: ContractHarness<Plugin>,
  calls: Record<string, (plugin: Plugin) => unknown>,
): void {
  runner.describe('life and health', () => {
    let plugin: Plugin;
    runner.beforeEach(async () => {
      plugin = await harness.create();
    });
    runner.afterEach(async () => {
      await plugin.shutdown();
      await harness.cleanup?.(plugin);
    });

    runner.it('initialize, drain and shutdown can be repeated and called side by side', async () => {
      await Promise.all([plugin.initialize(), plugin.initialize()]);
      await plugin.initialize();
      assert.equal((await plugin.healthCheck()).healthy, true);
      await Promise.all([plugin.drain(), plugin.drain()]);
      await Promise.all([plugin.shutdown(), plugin.shutdown()]);
      await plugin.shutdown();
      assert.equal((await plugin.healthCheck()).healthy, false);
    });

    runner.it('drain and shutdown do nothing on a plugin that never opened', async () => {
      await plugin.drain();
      await plugin.shutdown();
    });

    runner.it('healthCheck tells driver and phase, and its details are JSON', async () => {
      const before = await plugin.healthCheck();
      assert.equal(before.healthy, false);
      await plugin.initialize();
      const { healthy, details } = await plugin.healthCheck();
      assert.equal(healthy, true, JSON.stringify(details));
      assert.equal(details['driver'], plugin.driver);
      assert.equal(details['phase'], 'open');
      assert.deepEqual(JSON.parse(JSON.stringify(details)), details);
    });

    for (const [name, call] of Object.entries(calls)) {
      runner.it(`${name} rejects with CLOSED before initialize and after shutdown`, async () => {
        await rejectsWith(() => call(plugin), 'CLOSED');
        await plugin.initialize();
        await plugin.shutdown();
        await rejectsWith(() => call(plugin), 'CLOSED');
      });
    }
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
