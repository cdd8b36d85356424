import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Replay } from '../../../examples/digits/digits.service.js';
import type { ExperimentDefinition } from '../../../src/experiment/index.js';
import { CANARY, RealStack, realStack } from '../../support/real-stack.js';
import { run } from '../../support/run-command.js';

const TIMEOUT = 180_000;
const root = fileURLToPath(new URL('../../..', import.meta.url));
const tsx = createRequire(import.meta.url).resolve('tsx/cli');

// The package is imported by its own name, so this needs a build, as `npm run demo:stack` and `npm test` make one.
describe.skipIf(realStack.missing)(`examples/digits${realStack.note}`, { timeout: TIMEOUT }, () => {
  let stack: RealStack;
  let output: string;
  let figures: Replay & { health: { status: string } };

  beforeAll(async () => {
    stack = await RealStack.open('digits-demo');
    // The experiment of the file, on the services of this suite.
    const file = await readFile(join(root, 'config', 'hub_config.compose.yaml'), 'utf8');
    const { experiments } = parse(file) as { experiments: ExperimentDefinition[] };
    const [config, json] = [join(stack.folder, 'demo.yaml'), join(stack.folder, 'figures.json')];
    await writeFile(config, JSON.stringify({ ...stack.config([]), experiments }));
    output = await run(process.execPath, [tsx, 'examples/digits/demo.ts', '--json', json], {
      timeout: TIMEOUT,
      env: { ...process.env, HUB_CONFIG_PATH: config },
      // As npm does: tsx takes the decorator setting from the tsconfig.json there.
      cwd: root,
    });
    figures = JSON.parse(await readFile(json, 'utf8')) as typeof figures;
  }, TIMEOUT);

  afterAll(async () => {
    await stack?.close();
  });

  it('predicts every row, retrains and is better for it, by configuration alone', () => {
    expect(figures).toMatchObject({ experiment: 'digits', rowsIn: 1_000, rowsOut: 1_000, lost: 0 });
    const promoted = figures.versions.map((version) => version.promoted);
    expect(promoted.length).toBeGreaterThan(1);
    expect([promoted[0], promoted.at(-1)]).toEqual([true, true]);
    expect(figures.accuracyRetrained).toBeGreaterThan(figures.accuracyFrozen + 0.3);
    expect(figures.health.status).toBe('ok');
  });

  it('prints a summary, without a complaint or a secret', () => {
    for (const said of ['rows in', 'frozen', 'retrained', 'GET /health', 'models:/digits@champion']) {
      expect(output).toContain(said);
    }
    expect(output).not.toMatch(/WARN|ERROR/);
    expect(output).not.toContain(CANARY);
  });
});
