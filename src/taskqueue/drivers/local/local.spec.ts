import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { taskqueueContract } from '../../taskqueue.contract.js';
import { LocalTaskQueuePlugin } from './local.plugin.js';
const runner = { describe, it, beforeEach, afterEach };
const dirs = new WeakMap<object, string>();
const open = async (dataDir = mkdtempSync(join(tmpdir(), 'taskqueue-')), workerThreads = 2) => {
  const plugin = new LocalTaskQueuePlugin({ dataDir, workerThreads, killGrace: 200 });
  dirs.set(plugin, dataDir);
  return plugin;
};
const onDisk = { create: () => open(), serial: () => open(undefined, 1) };
const reopen = (plugin: object) => open(dirs.get(plugin));
const cleanup = async (plugin: object) => rmSync(dirs.get(plugin) ?? '', { recursive: true });
taskqueueContract(runner, 'local, on disk', { ...onDisk, reopen, cleanup });
const inMemory = { create: () => open(':memory:'), serial: () => open(':memory:', 1) };
taskqueueContract(runner, 'local, in memory', inMemory);
