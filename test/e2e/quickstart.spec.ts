import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run-command.js';

interface Figures {
  experiment: string;
  rowsIn: number;
  rowsOut: number;
  lost: number;
  versions: { version: string; trainedUntil: string; accuracy: number; promoted: boolean }[];
  accuracyFrozen: number;
  accuracyRetrained: number;
  health: { status: string; details: Record<string, { status: string }> };
  store: string;
}

const TIMEOUT = 180_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const demo = join(root, 'examples/quickstart/demo.ts');
const tsx = createRequire(import.meta.url).resolve('tsx/cli');

// The package is imported by its own name, so this needs a build, as `npm run demo` and `npm test` make one.
describe('examples/quickstart', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-quickstart-'));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  async function figures(): Promise<{ output: string; figures: Figures }> {
    const json = join(folder, 'figures.json');
    const output = await run(process.execPath, [tsx, demo, '--data-dir', join(folder, 'data'), '--json', json], {
      timeout: TIMEOUT,
      // As npm does: tsx takes the decorator setting from the tsconfig.json there.
      cwd: root,
    });
    return { output, figures: JSON.parse(await readFile(json, 'utf8')) as Figures };
  }

  it(
    'runs the main job, and again in the same folder with the same figures',
    async () => {
      const first = await figures();
      const { versions, health, store, ...totals } = first.figures;
      expect(totals).toMatchObject({ experiment: 'weather', rowsIn: 1_095, rowsOut: 1_095, lost: 0 });
      expect(versions[0]).toMatchObject({ version: '1', trainedUntil: '2012-12-31', promoted: true });
      const later = versions.slice(1);
      expect(later.filter(({ promoted }) => promoted).length).toBeGreaterThan(0);
      expect(later.filter(({ promoted }) => !promoted).length).toBeGreaterThan(0);
      expect(totals.accuracyRetrained).toBeGreaterThan(totals.accuracyFrozen);
      expect(Object.values(health.details).map(({ status }) => status)).toEqual(['up', 'up', 'up', 'up']);
      expect((await stat(store)).isFile()).toBe(true);
      expect(first.output).toContain('GET /health');
      expect(first.output).toContain(store);

      const second = await figures();
      expect(second.figures).toMatchObject({ ...totals, experiment: 'weather-2', versions });
    },
    2 * TIMEOUT,
  );
});
