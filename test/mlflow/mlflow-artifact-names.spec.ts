import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkServerPath } from '../../src/mlops/drivers/mlflow/artifacts/artifact-names.js';
import { checkArtifactPath } from '../../src/mlops/mlops.validation.js';
import { python, runPython, skipReason } from './mlflow-python.js';

describe.skipIf(python === undefined)(`the check of artifact names${skipReason}`, () => {
  it(
    'refuses what the server would keep as another name, which is what MLflow itself says',
    { timeout: 120_000 },
    async () => {
      const unit = fc.constantFrom(
        ...Array.from('aZ01/?%#;:+ .&=~@[]ü💾'),
        ...['%41', '%25', '%c3', 'file:', 'http://'],
      );
      const sample = fc.sample(fc.string({ unit, minLength: 1, maxLength: 12 }), 5_000).filter((path) => {
        try {
          return checkArtifactPath(path).length > 0;
        } catch {
          return false;
        }
      });
      const folder = await mkdtemp(join(tmpdir(), 'mlflow-names-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const input = join(folder, 'names.json');
      const cases = sample.flatMap((path) => [[[], path] as const, [['1', 'run', 'artifacts'], path] as const]);
      await writeFile(input, JSON.stringify(cases.map(([prefix, path]) => [...prefix, path].join('/'))));
      const kept = JSON.parse(await runPython('kept_names.py', input)) as boolean[];
      expect(kept.filter(Boolean).length).toBeGreaterThan(1_000);
      expect(kept.filter((one) => !one).length).toBeGreaterThan(1_000);
      // One that it would not keep never passes. A few that it would keep are refused: what begins as a URI in lower case,
      // and encoded control characters, which it decodes and encodes again.
      const wrong = cases.filter(([prefix, path], index) => {
        try {
          checkServerPath(prefix, path);
          return kept[index] === false;
        } catch {
          return kept[index] === true && prefix.length > 0 && !/%([01][\da-f]|7f)/i.test(path);
        }
      });
      expect(wrong).toEqual([]);
    },
  );
});
