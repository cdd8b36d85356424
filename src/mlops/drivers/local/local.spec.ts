import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { mlopsContract } from '../../mlops.contract.js';
import { LocalMLOpsPlugin } from './local.plugin.js';

const runner = { describe, it, beforeEach, afterEach };
const folders = new WeakMap<object, string>();
const open = (dataDir: string) => {
  const plugin = new LocalMLOpsPlugin({ dataDir });
  folders.set(plugin, dataDir);
  return Promise.resolve(plugin);
};
mlopsContract(runner, 'local, on disk', {
  create: () => open(mkdtempSync(join(tmpdir(), 'mlops-local-'))),
  reopen: (plugin) => open(folders.get(plugin) ?? ''),
  cleanup: async (plugin) => rmSync(folders.get(plugin) ?? '', { recursive: true, force: true }),
});
mlopsContract(runner, 'local, in memory', { create: () => open(':memory:') });
