// Logs runs, batches, models and artifacts without pause until it is killed. Arguments: folder, round, seed.
import { HubError } from '../../src/core/errors.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { report } from './ledger.js';
import { artifactText, MODEL } from './mlops-ledger.js';
import { randomFrom } from './seeded-random.js';

const [, , dataDir = '', round = '', seed = ''] = process.argv;
const random = randomFrom(Number(seed));
const mlops = new LocalMLOpsPlugin({ dataDir });
await mlops.initialize();
const experimentId = await mlops.ensureExperiment('kill');

async function start(): Promise<string> {
  const { runId } = await mlops.startRun(experimentId, { runName: `round ${round}` });
  report('run', runId);
  return runId;
}

/** One run after the other, every write awaited. */
async function runs(): Promise<never> {
  for (;;) {
    const runId = await start();
    for (let step = 0; step < 30; step += 1) {
      const [value, timestamp] = [random(), Date.now()];
      await mlops.logMetric(runId, 'loss', value, { step, timestamp });
      report('metric', runId, step, value, timestamp);
      if (step % 5 > 0) continue;
      await mlops.logParam(runId, `param ${step}`, value);
      report('param', runId, `param ${step}`, String(value));
      await mlops.setTag(runId, 'at', step);
      report('tag', runId, 'at', step);
    }
    await mlops.endRun(runId);
    report('end', runId);
  }
}

/** Batches, several at once; each has to be there as a whole or not at all. */
async function batches(): Promise<never> {
  const runId = await start();
  for (let first = 0; ; first += 5) {
    await Promise.all(Array.from({ length: 5 }, (_, index) => batch(runId, first + index)));
  }
}

async function batch(runId: string, number: number): Promise<void> {
  const metrics = Array.from({ length: 60 }, (_, step) => ({ key: `batch ${number}`, value: random(), step }));
  await mlops.logBatch(runId, { metrics, params: { [`batch ${number}`]: number }, tags: { [`batch ${number}`]: 'x' } });
  report('batch', runId, number);
}

/** New versions of one model; the alias follows. */
async function models(): Promise<never> {
  try {
    await mlops.createRegisteredModel(MODEL);
  } catch (error) {
    if (!HubError.is(error, 'ALREADY_EXISTS')) throw error;
  }
  for (;;) {
    const { version } = await mlops.createModelVersion(MODEL, { source: `models/${round}` });
    report('version', version);
    report('moving', version);
    await mlops.setRegisteredModelAlias(MODEL, 'champion', version);
    report('alias', version);
  }
}

async function artifacts(): Promise<never> {
  const runId = await start();
  for (let number = 0; ; number += 1) {
    await mlops.logText(runId, artifactText(number), `texts/${number}.txt`);
    report('artifact', runId, number);
  }
}

await Promise.all([runs(), runs(), batches(), models(), artifacts()]);
