import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { mlopsContract } from '../../src/mlops/mlops.contract.js';
import { python, readWithMlflow, skipReason } from './mlflow-python.js';

/** The whole contract once more, on stores that the newest MLflow has upgraded to its own schema. */
describe.skipIf(python === undefined)(`local driver on a store upgraded by real MLflow${skipReason}`, () => {
  let template: string;
  const folders = new WeakMap<object, string>();
  const open = (dataDir: string) => {
    const plugin = new LocalMLOpsPlugin({ dataDir });
    folders.set(plugin, dataDir);
    return Promise.resolve(plugin);
  };

  beforeAll(async () => {
    template = mkdtempSync(join(tmpdir(), 'mlflow-upgraded-'));
    const plugin = await open(template);
    await plugin.initialize();
    await plugin.shutdown();
    await readWithMlflow(join(template, 'mlflow.db'), join(template, 'downloads'));
  }, 120_000);
  afterAll(() => rmSync(template, { recursive: true, force: true }));

  mlopsContract({ describe, it, beforeEach, afterEach }, 'local, upgraded', {
    create: () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'mlops-upgraded-'));
      copyFileSync(join(template, 'mlflow.db'), join(dataDir, 'mlflow.db'));
      return open(dataDir);
    },
    reopen: (plugin) => open(folders.get(plugin) ?? ''),
    cleanup: async (plugin) => rmSync(folders.get(plugin) ?? '', { recursive: true, force: true }),
  });
});
