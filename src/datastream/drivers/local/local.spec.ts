import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { datastreamContract } from '../../datastream.contract.js';
import type { DataStreamPlugin } from '../../datastream.plugin.js';
import { LocalDataStreamPlugin } from './local.plugin.js';

const runner = { describe, it, beforeEach, afterEach };
const open = (dataDir: string): LocalDataStreamPlugin =>
  new LocalDataStreamPlugin({ dataDir, durability: 'process', maxPayloadBytes: 1_048_576, queues: [] });
const folders = new Map<DataStreamPlugin, string>();
const on = (folder: string) => {
  const plugin = open(folder);
  folders.set(plugin, folder);
  return plugin;
};
const folderOf = (plugin: DataStreamPlugin): string => folders.get(plugin) ?? '';

datastreamContract(runner, 'local, on disk', {
  create: async () => on(await mkdtemp(join(tmpdir(), 'hub-stream-'))),
  reopen: async (plugin) => on(folderOf(plugin)),
  cleanup: async (plugin) => rm(folderOf(plugin), { recursive: true }),
});
datastreamContract(runner, 'local, in memory', { create: async () => open(':memory:') });
