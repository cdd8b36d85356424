import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContractHarness } from '../../src/core/contract.js';
import type { HubPlugin } from '../../src/core/plugin.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { LocalTaskQueuePlugin } from '../../src/taskqueue/drivers/local/local.plugin.js';
import type { TaskQueueHarness } from '../../src/taskqueue/taskqueue.contract.js';
import type { DataStreamPlugin } from '../../src/datastream/datastream.plugin.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import type { Mutant } from './mutant.js';

/** The local MLOps driver, sound or spoiled, as a suite gets it. */
export function mlopsSubject(mutant?: Mutant<MLOpsPlugin>, onDisk?: boolean): ContractHarness<MLOpsPlugin> {
  return subject<MLOpsPlugin>((dataDir) => new LocalMLOpsPlugin({ dataDir }), mutant, onDisk);
}

/** The local DataStream driver, sound or spoiled, as a suite gets it. */
export function datastreamSubject(
  mutant?: Mutant<DataStreamPlugin>,
  onDisk?: boolean,
): ContractHarness<DataStreamPlugin> {
  const options = { durability: 'process', maxPayloadBytes: 1_048_576 } as const;
  return subject<DataStreamPlugin>(
    (dataDir) => new LocalDataStreamPlugin({ ...options, queues: [], dataDir }),
    mutant,
    onDisk,
  );
}

/** The local TaskQueue driver, sound or spoiled, as a suite gets it. */
export function taskqueueSubject(mutant?: Mutant<TaskQueuePlugin>, onDisk?: boolean): TaskQueueHarness {
  const build =
    (workerThreads: number) =>
    (dataDir: string): TaskQueuePlugin =>
      new LocalTaskQueuePlugin({ dataDir, workerThreads, killGrace: 200 });
  return {
    ...subject(build(2), mutant, onDisk),
    serial: () => subject(build(1), mutant).create(),
  };
}

function subject<Plugin extends HubPlugin>(
  build: (dataDir: string) => Plugin,
  mutant: Mutant<Plugin> | undefined,
  onDisk = mutant?.onDisk ?? false,
): ContractHarness<Plugin> {
  const folders = new WeakMap<Plugin, string>();
  const open = (dataDir: string): Plugin => {
    const plugin = build(dataDir);
    folders.set(plugin, dataDir);
    mutant?.mutate(plugin, { dataDir });
    return plugin;
  };
  const folderOf = (plugin: Plugin): string => folders.get(plugin) ?? '';
  if (!onDisk) return { create: async () => open(':memory:') };
  return {
    create: async () => open(await mkdtemp(join(tmpdir(), 'hub-mutant-'))),
    reopen: async (plugin) => open(folderOf(plugin)),
    // The priority test of the task queue hands over a plugin of its own, which is in memory.
    cleanup: async (plugin) => {
      if (folders.has(plugin)) await rm(folderOf(plugin), { recursive: true, force: true });
    },
  };
}
