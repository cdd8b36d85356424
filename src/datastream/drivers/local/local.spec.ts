import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { datastreamContract } from '../../datastream.contract.js';
import { LocalDataStreamPlugin } from './local.plugin.js';

class Subject extends LocalDataStreamPlugin {
  constructor(readonly folder: string) {
    super({ dataDir: folder });
  }
}
const runner = { describe, it, beforeEach, afterEach };

datastreamContract(runner, 'local, on disk', {
  create: async () => new Subject(await mkdtemp(join(tmpdir(), 'hub-stream-'))),
  reopen: async (plugin) => new Subject((plugin as Subject).folder),
  cleanup: async (plugin) => rm((plugin as Subject).folder, { recursive: true }),
});
datastreamContract(runner, 'local, in memory', { create: async () => new Subject(':memory:') });
