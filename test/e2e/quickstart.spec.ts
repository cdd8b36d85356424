import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { dumpStore } from '../mlflow/dump-store.js';
import { python, readWithMlflow, skipReason } from '../mlflow/mlflow-python.js';
import { BullMQRoom } from '../support/bullmq-room.js';
import { MLflowServer } from '../support/mlflow-server.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { expectMainJobDone, runQuickstart, TIMEOUT, type Figures, type QuickstartRun } from './quickstart-run.js';

const rabbit = neededService('rabbitmq');
const redis = neededService('redis');
describe('examples/quickstart', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-quickstart-'));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  const figures = (env: Record<string, string> = {}): Promise<QuickstartRun> =>
    runQuickstart(folder, ['--data-dir', join(folder, 'data')], env);

  // The tests are steps of one story: each goes on with the folder of the one before.
  let first: QuickstartRun;

  it(
    'runs the main job: nothing lost, at least one promotion and one refusal, better than the frozen model',
    async () => {
      first = await figures();
      const { store } = first.figures;
      expectMainJobDone(first.figures);
      expect((await stat(store)).isFile()).toBe(true);
      expect(first.output).toContain('GET /health');
      expect(first.output).toContain(store);
    },
    TIMEOUT,
  );

  it.skipIf(python === undefined)(
    `stock MLflow reads everything that the main job wrote${skipReason}`,
    () => expectSameInMlflow('weather', first.figures),
    TIMEOUT,
  );

  it(
    'runs again in the same folder, whose database MLflow may have upgraded, with the same figures',
    async () => {
      const { versions, rowsIn, rowsOut, lost, accuracyFrozen, accuracyRetrained } = first.figures;
      const same = { versions, rowsIn, rowsOut, lost, accuracyFrozen, accuracyRetrained };
      expect((await figures()).figures).toMatchObject({ ...same, experiment: 'weather-2' });
    },
    TIMEOUT,
  );

  it.skipIf(python === undefined)(
    `stock MLflow reads what the second run wrote to the upgraded database${skipReason}`,
    () => expectSameInMlflow('weather-2', first.figures),
    TIMEOUT,
  );

  it.skipIf(python === undefined)(
    `runs on an MLflow server by another configuration file alone, with the same figures${skipReason}`,
    async () => {
      const { store: _store, health, ...same } = first.figures;
      const served = join(folder, 'server');
      await mkdir(served);
      const server = await MLflowServer.start(python ?? '', served);
      try {
        const second = await figures({
          HUB_CONFIG_PATH: 'config/hub_config.mlflow.yaml',
          MLFLOW_TRACKING_URI: server.url,
          HUB_DATA_DIR: join(folder, 'beside-mlflow'),
        });
        expect(second.figures).toMatchObject({ ...same, health: { status: health.status } });
        const { registered_models: models } = await server.call<{ registered_models: { name: string }[] }>(
          'GET',
          'registered-models/search',
        );
        expect(models.map(({ name }) => name)).toEqual(['weather']);
      } finally {
        await server.stop();
      }
    },
    2 * TIMEOUT,
  );

  it.skipIf(rabbit.missing)(
    `runs on RabbitMQ by another configuration file alone, with the same figures${rabbit.note}`,
    async () => {
      const { store: _store, health, ...same } = first.figures;
      const vhost = await RabbitVhost.open('quickstart');
      try {
        const { output, figures: onRabbit } = await figures({
          HUB_CONFIG_PATH: 'config/hub_config.rabbitmq.yaml',
          RABBITMQ_URL: vhost.url,
          HUB_DATA_DIR: join(folder, 'beside-rabbitmq'),
        });
        expect(onRabbit).toMatchObject({ ...same, health: { status: health.status } });
        expect(output).not.toMatch(/WARN|ERROR/);
        // The API shows what was there some seconds ago.
        const left = async () =>
          Object.fromEntries((await vhost.queues()).map(({ name, messages }) => [name, messages]));
        await expect.poll(left, { timeout: 20_000 }).toEqual({
          'weather.days': 0,
          'weather.days.dead': 0,
          'weather.predictions': 0,
          'weather.predictions.dead': 0,
        });
      } finally {
        await vhost.remove();
      }
    },
    TIMEOUT,
  );

  it.skipIf(redis.missing)(
    `runs on BullMQ by another configuration file alone, with the same figures${redis.note}`,
    async () => {
      const { store: _store, health, ...same } = first.figures;
      const room = new BullMQRoom(redis.address);
      try {
        const { output, figures: onBullMQ } = await figures({
          HUB_CONFIG_PATH: 'config/hub_config.bullmq.yaml',
          REDIS_URL: redis.address,
          BULLMQ_PREFIX: room.prefix,
          HUB_DATA_DIR: join(folder, 'beside-bullmq'),
        });
        expect(onBullMQ).toMatchObject({ ...same, health: { status: health.status } });
        expect(output).not.toMatch(/WARN|ERROR/);
        const counts = await room.queue('default').getJobCounts('completed', 'failed', 'wait', 'delayed', 'active');
        expect(counts).toMatchObject({ failed: 0, wait: 0, delayed: 0, active: 0 });
        // Every training and every prediction was one.
        expect(counts['completed']).toBeGreaterThan(onBullMQ.versions.length);
      } finally {
        await room.close();
      }
    },
    TIMEOUT,
  );

  /** Python's MlflowClient and the hub see the same store, and the experiment's model has the champion of the figures. */
  async function expectSameInMlflow(name: string, { versions, store }: Figures): Promise<void> {
    const dataDir = dirname(store);
    const found = await readWithMlflow(store, join(folder, `downloads-${name}`));
    const plugin = new LocalMLOpsPlugin({ dataDir });
    await plugin.initialize();
    try {
      const { experiments, runs, models } = found;
      expect({ experiments, runs, models }).toEqual(await dumpStore(plugin));
      const champion = versions.filter(({ promoted }) => promoted).at(-1)?.version;
      expect((await plugin.getModelVersionByAlias(name, 'champion'))?.version).toBe(champion);
      expect(models.map((model) => model.name)).toContain(name);
      expect(found).toMatchObject({ integrity: ['ok'], foreign_keys: [] });
    } finally {
      await plugin.shutdown();
    }
  }
});
