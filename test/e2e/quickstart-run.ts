import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Replay } from '../../examples/quickstart/weather.service.js';
import { run } from '../support/run-command.js';

/** How long the demo may take, in ms. */
export const TIMEOUT = 180_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
const demo = join(root, 'examples/quickstart/demo.ts');
const tsx = createRequire(import.meta.url).resolve('tsx/cli');

/** What the demo writes with `--json`. */
export interface Figures extends Replay {
  health: { status: string; details: Record<string, { status: string }> };
  /** MLflow's database, where the experiments are in a local one. */
  store: string;
}

/** A run of the demo. */
export interface QuickstartRun {
  output: string;
  figures: Figures;
}

/**
 * Runs the demo of `examples/quickstart` to its end. It imports the package by its own name, so this needs a build, as
 * `npm run demo` and `npm test` make one.
 * @param folder where its figures go
 * @param args of its command line
 * @param env beside that of this process
 */
export async function runQuickstart(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<QuickstartRun> {
  const json = join(folder, 'figures.json');
  const output = await run(process.execPath, [tsx, demo, ...args, '--json', json], {
    timeout: TIMEOUT,
    env: { ...process.env, ...env },
    // As npm does: tsx takes the decorator setting from the tsconfig.json there.
    cwd: root,
  });
  return { output, figures: JSON.parse(await readFile(json, 'utf8')) as Figures };
}

/** The main job is done: every row predicted, at least one promotion and one refusal, better than the frozen model, all up. */
export function expectMainJobDone({ versions, health, ...totals }: Figures): void {
  expect(totals).toMatchObject({ experiment: 'weather', rowsIn: 1_095, rowsOut: 1_095, lost: 0 });
  expect(versions[0]).toMatchObject({ version: '1', trainedUntil: '2012-12-31', promoted: true });
  const later = versions.slice(1);
  expect(later.filter(({ promoted }) => promoted).length).toBeGreaterThan(0);
  expect(later.filter(({ promoted }) => !promoted).length).toBeGreaterThan(0);
  expect(totals.accuracyRetrained).toBeGreaterThan(totals.accuracyFrozen);
  expect(Object.values(health.details).map(({ status }) => status)).toEqual(['up', 'up', 'up', 'up']);
}
