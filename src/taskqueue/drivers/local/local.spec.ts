import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { taskqueueContract } from '../../taskqueue.contract.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';

const dirs = new WeakMap<object, string>();
const open = (dataDir: string, serial = false): LocalTaskQueuePlugin => {
  const plugin = new LocalTaskQueuePlugin({ dataDir, killGrace: 200, workerThreads: serial ? 1 : 2 });
  dirs.set(plugin, dataDir);
  return plugin;
};
const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'taskqueue-'));
const cleanup = (plugin: object): Promise<void> => rm(dirs.get(plugin) ?? '', { recursive: true, force: true });
const reopen = async (plugin: object): Promise<LocalTaskQueuePlugin> => open(dirs.get(plugin) ?? '');
const runner = { describe, it, beforeEach, afterEach };
taskqueueContract(runner, 'local, on disk', {
  create: async () => open(await folder()),
  serial: async () => open(await folder(), true),
  reopen,
  cleanup,
});
taskqueueContract(runner, 'local, in memory', {
  create: async () => open(':memory:'),
  serial: async () => open(':memory:', true),
});
