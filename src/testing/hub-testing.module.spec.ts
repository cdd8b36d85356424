import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ExperimentHubModule, HubError, type HubConfig } from '../index.js';
import { DataStreamPlugin } from '../datastream/datastream.plugin.js';
import { Experiments } from '../experiment/index.js';
import { HUB_CONFIG } from '../hub/hub-config.module.js';
import { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import { TaskQueuePlugin } from '../taskqueue/taskqueue.plugin.js';
import { HubTestingModule, type HubTestingModuleOptions } from './hub-testing.module.js';

const modules: TestingModule[] = [];
afterEach(async () => {
  await Promise.all(modules.splice(0).map((module) => module.close()));
});

async function boot(options?: HubTestingModuleOptions): Promise<TestingModule> {
  const module = await Test.createTestingModule({ imports: [HubTestingModule.forRoot(options)] }).compile();
  modules.push(module);
  module.useLogger(false);
  return module.init();
}
const workDirOf = (module: TestingModule): string =>
  module.get<HubConfig>(HUB_CONFIG, { strict: false }).global.workDir;
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

describe('HubTestingModule', () => {
  it('opens the three local drivers in memory', async () => {
    const module = await boot();
    for (const token of [MLOpsPlugin, DataStreamPlugin, TaskQueuePlugin]) {
      const plugin = module.get<MLOpsPlugin | DataStreamPlugin | TaskQueuePlugin>(token, { strict: false });
      expect([plugin.driver, plugin.phase]).toEqual(['local', 'open']);
    }
    expect(module.get(DataStreamPlugin, { strict: false }).supports.durable).toBe(false);
  });

  it('gives two modules side by side a stack each: same names, nothing shared, closed apart', async () => {
    const [one, two] = await Promise.all([boot(), boot()]);
    const plugins = [one, two].map((module) => ({
      mlops: module.get(MLOpsPlugin, { strict: false }),
      stream: module.get(DataStreamPlugin, { strict: false }),
      tasks: module.get(TaskQueuePlugin, { strict: false }),
    }));
    for (const [index, { mlops, stream, tasks }] of plugins.entries()) {
      await mlops.createExperiment('same', { tags: { index } });
      await stream.createQueue('same');
      await stream.sendData('same', index);
      await tasks.registerTask('same', () => index);
      await tasks.submitTask('same', { taskId: 'same' });
    }
    for (const [index, { mlops, stream, tasks }] of plugins.entries()) {
      expect(await mlops.getExperimentByName('same')).toMatchObject({ tags: { index: String(index) } });
      expect((await stream.pullBatch('same', { max: 9 })).map(({ payload }) => payload)).toEqual([index]);
      expect(await tasks.getResult('same', { timeout: 5_000 })).toBe(index);
    }
    expect(workDirOf(one)).not.toBe(workDirOf(two));
    await one.close();
    const [closed, open] = plugins;
    await expect(closed?.stream.queueInfo('same')).rejects.toSatisfy((error) => HubError.is(error, 'CLOSED'));
    expect(await open?.stream.queueInfo('same')).toMatchObject({ unacked: 1 });
    expect(await open?.mlops.getExperimentByName('same')).not.toBeNull();
  });

  it('keeps files of experiments in a temporary folder and removes them when it closes', async () => {
    const module = await boot();
    const tasks = module.get(TaskQueuePlugin, { strict: false });
    const experiments = module.get(Experiments, { strict: false });
    await tasks.registerTask('toy.train', () => ({ model: { json: { bias: 1 } } }));
    await tasks.registerTask('toy.predict', ({ kwargs }) => kwargs['rows']);
    experiments.define({ name: 'toy', tasks: { train: 'toy.train', predict: 'toy.predict' } });
    const { runId, done } = await experiments.train('toy');
    expect(await done).toMatchObject({ status: 'FINISHED' });
    expect(await experiments.predict('toy', [1])).toMatchObject({ predictions: [1] });
    const { artifactUri } = await module.get(MLOpsPlugin, { strict: false }).getRun(runId);
    const artifacts = artifactUri.startsWith('file:') ? fileURLToPath(artifactUri) : artifactUri;
    const folders = [workDirOf(module), artifacts];
    expect(await Promise.all(folders.map(exists))).toEqual([true, true]);
    await module.close();
    expect(await Promise.all(folders.map(exists))).toEqual([false, false]);
  });

  it('takes the place of single plugins from its config', async () => {
    const module = await boot({ config: { plugins: { datastream: { enabled: false } } } });
    const stream = module.get(DataStreamPlugin, { strict: false });
    await expect(stream.queueInfo('x')).rejects.toSatisfy((error) => HubError.is(error, 'PLUGIN_DISABLED'));
    expect(module.get(MLOpsPlugin, { strict: false }).phase).toBe('open');
  });
});

describe("the recipe for an application's own module in docs/testing.md", () => {
  it('boots it in memory, side by side, by two environment variables', async () => {
    const guide = await readFile(new URL('../../docs/testing.md', import.meta.url), 'utf8');
    const yaml = /```yaml\n(.*?)```/s.exec(guide)?.[1] ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'hub-recipe-'));
    try {
      const configPath = join(folder, 'hub_config.yaml');
      await writeFile(configPath, yaml);
      vi.stubEnv('HUB_DATA_DIR', ':memory:');
      vi.stubEnv('HUB_WORK_DIR', join(folder, 'work'));
      for (let copy = 0; copy < 2; copy += 1) {
        const hub = ExperimentHubModule.forRoot({ configPath });
        const module = await Test.createTestingModule({ imports: [hub] }).compile();
        modules.push(module);
        module.useLogger(false);
        await module.init();
        const { global, plugins } = module.get<HubConfig>(HUB_CONFIG, { strict: false });
        expect(Object.values(plugins).map(({ config }) => config)).toEqual(
          Array.from({ length: 3 }, () => expect.objectContaining({ dataDir: ':memory:' })),
        );
        expect(global.workDir).toBe(join(folder, 'work'));
      }
    } finally {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
