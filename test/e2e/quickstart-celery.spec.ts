import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { CeleryWorker } from '../support/celery-worker.js';
import { neededService } from '../support/needed-service.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { RedisServer } from '../support/redis-server.js';
import { expectMainJobDone, runQuickstart, TIMEOUT, type Figures } from './quickstart-run.js';

const [python, rabbitmq, redis] = [neededService('python'), neededService('rabbitmq'), neededService('redis')];
const isMissing = python.missing || rabbitmq.missing || redis.missing;

describe.skipIf(isMissing)(`examples/quickstart on Celery${python.note}${rabbitmq.note}${redis.note}`, () => {
  let folder: string;
  let vhost: RabbitVhost;
  let results: RedisServer;
  let worker: CeleryWorker;
  let output: string;
  let figures: Figures;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-quickstart-celery-'));
    vhost = await RabbitVhost.open('quickstart-celery');
    // A server of its own: the example's worker has no prefix for its keys.
    results = await RedisServer.create();
    const addresses = { CELERY_BROKER_URL: vhost.url, CELERY_RESULT_BACKEND: `${results.url}/0` };
    const { address } = python;
    worker = await CeleryWorker.start({ python: address, broker: '', backend: '', app: 'app', env: addresses });
    ({ output, figures } = await runQuickstart(folder, [], {
      ...addresses,
      HUB_CONFIG_PATH: 'config/hub_config.celery.yaml',
      HUB_DATA_DIR: join(folder, 'data'),
    }));
  }, TIMEOUT);

  afterAll(async () => {
    await worker?.remove();
    await results?.remove();
    await vhost?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('predicts every row, and retrains to something better, by configuration alone', () => {
    expectMainJobDone(figures);
    expect(output).not.toMatch(/WARN|ERROR/);
  });

  it('had its work done by the Python worker, without a failure or a redelivery', async () => {
    const log = await worker.log();
    const count = (pattern: RegExp): number => log.match(pattern)?.length ?? 0;
    // One for each version, one evaluation for each but the first, and at least one prediction for each week.
    const { length } = figures.versions;
    expect(count(/Task weather\.train\[\S+ succeeded/g)).toBe(length);
    expect(count(/Task weather\.evaluate\[\S+ succeeded/g)).toBe(length - 1);
    expect(count(/Task weather\.predict\[\S+ succeeded/g)).toBeGreaterThanOrEqual(157);
    expect(count(/Task weather\.\w+\[\S+ received/g)).toBe(count(/Task weather\.\w+\[\S+ succeeded/g));
    const left = async () => (await vhost.queues()).find(({ name }) => name === 'celery')?.messages;
    // The API shows what was there some seconds ago.
    await expect.poll(left, { timeout: 20_000 }).toBe(0);
  });

  it('stored the versions with the files and metrics of the worker, and left no folder of a training', async () => {
    const plugin = new LocalMLOpsPlugin({ dataDir: join(folder, 'data') });
    await plugin.initialize();
    try {
      const champion = figures.versions.filter(({ promoted }) => promoted).at(-1)?.version;
      expect((await plugin.getModelVersionByAlias('weather', 'champion'))?.version).toBe(champion);
      for (const { version, accuracy, trainedUntil } of figures.versions) {
        const { runId } = await plugin.getModelVersion('weather', version);
        const files = await plugin.listArtifacts(runId ?? '', 'model');
        expect(files.map(({ path }) => path)).toEqual(['model/model.skops']);
        const { status, params, metrics } = await plugin.getRun(runId ?? '');
        expect(status).toBe('FINISHED');
        expect(params['trained_until']).toBe(trainedUntil);
        // The step is that of the last progress report. The accuracy is the training's own; that of the figures is of the
        // evaluation, which has read the model from its file.
        expect(metrics['accuracy']).toMatchObject({ step: 50, value: accuracy });
      }
    } finally {
      await plugin.shutdown();
    }
    expect(await readdir(join(folder, 'data', 'work', 'runs'))).toEqual([]);
  });
});
