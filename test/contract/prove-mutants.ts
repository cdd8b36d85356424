import { describe, expect, it } from 'vitest';
import type { HubPlugin } from '../../src/core/plugin.js';
import type { Mutant } from './mutant.js';
import { collectTests, outcomeOf, type CollectedTest, type TestOutcome } from './run-mutant.js';
import type { ProvedSuite } from './suites.js';

/** What the contract promises of each of its tests, in ms. */
const TEST_LIMIT_MS = 20_000;
/** For mutants whose test waits longer for what never comes, in ms. */
const HANG_LIMIT_MS = 6_000;
/** Tests wait more than they compute, so some run side by side. */
const AT_ONCE = 4;

/** Proves a published suite: each mutant fails the test that is named for it, and the sound driver passes them all. */
export function proveMutants<Plugin extends HubPlugin>({
  name,
  mutants,
  register,
  subject,
}: ProvedSuite<Plugin>): void {
  const testsOf = (mutant?: Mutant<Plugin>, onDisk?: boolean): CollectedTest[] =>
    collectTests((runner) => register(runner, subject(mutant, onDisk)));

  describe(`mutants of the ${name} contract`, () => {
    it('are at least 12, of different names', () => {
      expect(mutants.length).toBeGreaterThanOrEqual(12);
      expect(new Set(mutants.map((mutant) => mutant.name)).size).toBe(mutants.length);
    });

    for (const mutant of mutants) {
      it.concurrent(`a driver that ${mutant.name} is caught`, { timeout: 120_000 }, async () => {
        // A mutant that only takes longer than a busy machine allows would prove nothing.
        const state = mutant.hangs === true ? 'hung' : 'failed';
        expect(await run(mutant)).toContainEqual(expect.objectContaining({ state }));
      });
    }

    it('the sound driver passes every test', { timeout: 300_000 }, () => expectSound(() => testsOf(), 50));

    it('the sound driver on disk passes what catches mutants of its durability', { timeout: 120_000 }, () => {
      const durable = mutants.filter(({ onDisk }) => onDisk === true);
      const named = (name: string): boolean => durable.some(({ caughtBy }) => caughtBy.test(name));
      return expectSound(() => testsOf(undefined, true).filter(({ name }) => named(name)), 1);
    });
  });

  async function run(mutant: Mutant<Plugin>): Promise<TestOutcome[]> {
    const limit = mutant.hangs === true ? HANG_LIMIT_MS : TEST_LIMIT_MS;
    const outcomes: TestOutcome[] = [];
    for (const test of testsOf(mutant).filter((candidate) => mutant.caughtBy.test(candidate.name))) {
      outcomes.push(await outcomeOf(test, limit));
    }
    return outcomes;
  }
}

/** Runs all tests that `collect` gives, at least `atLeast`, and expects them to pass. */
async function expectSound(collect: () => CollectedTest[], atLeast: number): Promise<void> {
  const names = collect().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(atLeast);
  // The tests of one collection share the plugin under test, so each of those side by side has a collection.
  const outcomes = await inTurns(names, async (name) =>
    Promise.all(
      collect()
        .filter((test) => test.name === name)
        .map((test) => outcomeOf(test, TEST_LIMIT_MS)),
    ),
  );
  expect(outcomes.flat().filter(({ state }) => state !== 'passed')).toEqual([]);
}

async function inTurns<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  const waiting = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}
