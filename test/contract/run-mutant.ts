import type { ContractRunner } from '../../src/core/contract.js';

type Body = () => Promise<void> | void;

/** One test of a suite with the hooks around it. */
export interface CollectedTest {
  /** The names of the groups around it and its own, joined by ` > `; without the suite's own group. */
  name: string;
  /** Rejects when it fails, or is not over after `deadline` ms. */
  run(deadline: number): Promise<void>;
}

/** How a test ended. */
export interface TestOutcome {
  name: string;
  /** `hung`: it was given up at the deadline. */
  state: 'passed' | 'failed' | 'hung';
  error?: unknown;
}

interface Group {
  names: string[];
  before: Body[];
  after: Body[];
}

/** The smallest runner that a contract suite works with: notes the tests that `register` declares, and runs none. */
export function collectTests(register: (runner: ContractRunner) => void): CollectedTest[] {
  const tests: CollectedTest[] = [];
  let groups: Group[] = [];
  const here = (): Group => groups[groups.length - 1] ?? { names: [], before: [], after: [] };
  register({
    describe(name, body) {
      groups = [...groups, { names: [...here().names, name], before: [], after: [] }];
      body();
      groups = groups.slice(0, -1);
    },
    beforeEach: (body) => void here().before.push(body),
    afterEach: (body) => void here().after.push(body),
    it(name, body) {
      const around = groups;
      tests.push({
        name: [...here().names.slice(1), name].join(' > '),
        run: (deadline) => runTest(around, body, deadline),
      });
    },
  });
  return tests;
}

/** Runs a test; what it does after `deadline` ms no longer counts. */
export async function outcomeOf({ name, run }: CollectedTest, deadline: number): Promise<TestOutcome> {
  try {
    await run(deadline);
    return { name, state: 'passed' };
  } catch (error) {
    return { name, state: error instanceof Hung ? 'hung' : 'failed', error };
  }
}

/** The deadline of a test has passed. */
class Hung extends Error {}

async function runTest(groups: readonly Group[], body: Body, deadline: number): Promise<void> {
  try {
    for (const group of groups) for (const hook of group.before) await hook();
    await within(body(), deadline);
  } finally {
    // Also for a body that hangs: the shutdown in these hooks is what ends it.
    for (const group of groups.toReversed()) for (const hook of group.after) await hook();
  }
}

async function within(work: Promise<void> | void, deadline: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Hung(`not over after ${deadline} ms`)), deadline);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
