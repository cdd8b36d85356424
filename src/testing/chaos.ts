import { sleep } from '../core/deadline.js';
import { HubError } from '../core/errors.js';
import type { HubPlugin } from '../core/plugin.js';

/**
 * One kind of fault:
 * - `drop`: the call does not reach the backend; the caller gets `TIMEOUT`.
 * - `lose-answer`: the call is carried out, but the caller gets `UNAVAILABLE`, as when a connection breaks in between.
 * - `duplicate`: the call is carried out twice, as when a client repeats a request whose answer was lost.
 * - `disconnect`: the call and all further ones are `UNAVAILABLE`, health is bad, until {@link Chaos.reconnect}.
 * - `delay`: the call is carried out after {@link ChaosRule.delay} ms.
 */
export type ChaosFault = 'drop' | 'lose-answer' | 'duplicate' | 'disconnect' | 'delay';

/** When which fault happens. */
export interface ChaosRule {
  fault: ChaosFault;
  /**
   * Methods that it hits, by the name that the caller uses. Default: every method of the plugin type; those of life and
   * health never.
   */
  methods?: readonly string[];
  /** Share of calls that it hits, 0 to 1. Default 1. */
  probability?: number;
  /** How many calls it hits at most. Default: no limit. */
  times?: number;
  /** With `delay`: how long, in ms. Default 100. */
  delay?: number;
}

/** A plugin with faults. */
export interface Chaos<Plugin extends HubPlugin> {
  /** Use this in place of the plugin; every call goes through the rules. */
  readonly plugin: Plugin;
  /** The faults so far, in order: which method was hit by what. */
  readonly faults: readonly { method: string; fault: ChaosFault }[];
  /** Ends a `disconnect`. */
  reconnect(): void;
  /** Lets all calls through from now on, and ends a `disconnect`. */
  calm(): void;
}

/** Options of {@link withChaos}. */
export interface ChaosOptions {
  /** Seed of the draws behind `probability`; the same seed and calls give the same faults. Default 1. */
  seed?: number;
}

const UNTOUCHED = new Set([
  'constructor',
  'initialize',
  'drain',
  'shutdown',
  'healthCheck',
  'hideSecrets',
  'observe',
  'onObserve',
  'ensureOpen',
  'error',
  'unsupported',
  'setTrackingUri',
  'connect',
  'disconnect',
]);

/** What hands out or works with the plugin itself: not hit, but all that is called through it is. */
const THROUGH = new Set(['task', 'withRun']);

/**
 * Puts faults in front of any plugin of any driver, for tests of what is built on it. Faults hit the promises of the
 * plugin's methods, also through task handles and in `withRun`; the first step of async iterators is hit by `drop`,
 * `disconnect` and `delay`. Deliveries and subscriptions that it hands out are those of the driver.
 */
export function withChaos<Plugin extends HubPlugin>(
  target: Plugin,
  rules: readonly ChaosRule[],
  options: ChaosOptions = {},
): Chaos<Plugin> {
  const random = mulberry32(options.seed ?? 1);
  const left = new Map(rules.map((rule) => [rule, rule.times ?? Infinity]));
  const faults: { method: string; fault: ChaosFault }[] = [];
  let active = true;
  let connected = true;

  const draw = (method: string, possible: ReadonlySet<ChaosFault>): ChaosRule | undefined => {
    if (!active) return undefined;
    const rule = rules.find(
      (candidate) =>
        possible.has(candidate.fault) &&
        (candidate.methods?.includes(method) ?? true) &&
        (left.get(candidate) ?? 0) > 0 &&
        random() < (candidate.probability ?? 1),
    );
    if (rule === undefined) return undefined;
    left.set(rule, (left.get(rule) ?? 0) - 1);
    faults.push({ method, fault: rule.fault });
    return rule;
  };
  const fault = (code: 'TIMEOUT' | 'UNAVAILABLE', method: string, message: string) =>
    new HubError(code, message, { plugin: target.pluginType, driver: target.driver, operation: method });

  const facts = () => ({ driver: target.driver, phase: target.phase });

  const before = async (method: string, possible = ALL_FAULTS): Promise<ChaosRule | undefined> => {
    const rule = connected ? draw(method, possible) : undefined;
    if (rule?.fault === 'disconnect') connected = false;
    if (!connected) throw fault('UNAVAILABLE', method, 'disconnected by chaos.');
    if (rule?.fault === 'drop') throw fault('TIMEOUT', method, 'dropped by chaos.');
    if (rule?.fault === 'delay') await sleep(rule.delay ?? 100);
    return rule;
  };
  const around = async (method: string, call: () => Promise<unknown>): Promise<unknown> => {
    const rule = await before(method);
    const result = await call();
    if (rule?.fault === 'duplicate') return call();
    if (rule?.fault === 'lose-answer') throw fault('UNAVAILABLE', method, 'the answer was lost by chaos.');
    return result;
  };

  const plugin: Plugin = new Proxy(target, {
    get(object, key, proxy) {
      const value: unknown = Reflect.get(object, key, object);
      if (typeof key === 'symbol' || typeof value !== 'function') return value;
      const method = value as (...args: unknown[]) => unknown;
      if (key === 'healthCheck' && !connected) {
        return async () => ({ healthy: false, details: { ...facts(), message: 'disconnected by chaos' } });
      }
      if (THROUGH.has(key)) return method.bind(proxy);
      if (UNTOUCHED.has(key) || key in Object.prototype) return method.bind(object);
      return (...args: unknown[]) => {
        // Nothing is called before the draw: a dropped call must not reach the backend. Iterators are lazy by contract.
        if (ITERATORS.has(key))
          return iterate(
            () => before(key, FAULTS_OF_ITERATORS),
            () => method.apply(object, args),
          );
        return around(key, async () => method.apply(object, args));
      };
    },
  });
  return {
    plugin,
    faults,
    reconnect: () => void (connected = true),
    calm: () => {
      connected = true;
      active = false;
    },
  };
}

const FAULTS_OF_ITERATORS: ReadonlySet<ChaosFault> = new Set(['drop', 'disconnect', 'delay']);
const ALL_FAULTS: ReadonlySet<ChaosFault> = new Set([...FAULTS_OF_ITERATORS, 'lose-answer', 'duplicate']);

/** Methods that return async iterators. */
const ITERATORS = new Set([
  'searchExperiments',
  'searchRuns',
  'searchRegisteredModels',
  'searchModelVersions',
  'getMetricHistory',
  'progress',
]);

async function* iterate(before: () => Promise<unknown>, start: () => unknown): AsyncGenerator<unknown> {
  await before();
  yield* start() as AsyncIterable<unknown>;
}

/** A small seeded generator (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
