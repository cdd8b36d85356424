import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MLOpsModule, MLOpsPlugin } from 'nestjs-experiment-hub';
import { elapsed, rate, type Bench } from './bench.js';
import { open } from './open.js';

const SCRIPT = `
import json, sys, time
from mlflow import MlflowClient
from mlflow.entities import Metric
client = MlflowClient("sqlite:///" + sys.argv[1])
run = client.create_run(client.create_experiment("bench")).info.run_id
client.log_metric(run, "warm", 0.0)
n = 200
start = time.perf_counter()
for step in range(n):
    client.log_metric(run, "loss", step / 7, timestamp=1700000000000 + step, step=step)
single = n / (time.perf_counter() - start)
batch = [Metric("batch", step / 7, 1700000000000 + step, step) for step in range(1000)]
start = time.perf_counter()
client.log_batch(run, metrics=batch)
print(json.dumps({"single": single, "batch": 1000 / (time.perf_counter() - start)}))
`;

/** The local driver against MLflow's own Python client, each on a SQLite file. */
export const mlflowClient: Bench = {
  name: 'mlflow-client',
  async run(folder) {
    const python = process.env['HUB_TEST_PYTHON'] ?? '.venv/bin/python';
    const { stdout } = await promisify(execFile)(python, ['-c', SCRIPT, join(folder, 'python.db')]);
    const theirs = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { single: number; batch: number };

    const app = await open(MLOpsModule.forRoot({ config: { dataDir: folder } }));
    const mlops = app.get(MLOpsPlugin);
    const { runId } = await mlops.startRun(await mlops.createExperiment('bench'));
    const single = 20_000;
    const singleMs = await elapsed(async () => {
      const calls: Promise<void>[] = [];
      for (let step = 0; step < single; step += 1) calls.push(mlops.logMetric(runId, 'loss', step / 7, { step }));
      await Promise.all(calls);
    });
    const batches = 50;
    const batchMs = await elapsed(async () => {
      for (let batch = 0; batch < batches; batch += 1) {
        const points = Array.from({ length: 1_000 }, (_unused, step) => ({ key: `b${batch}`, value: step / 7, step }));
        await mlops.logBatch(runId, { metrics: points });
      }
    });
    await app.close();
    return [
      rate("log_metric against MLflow's Python client", 'points/s', (single / singleMs) * 1_000, theirs.single),
      rate("log_batch of 1000 against MLflow's Python client", 'points/s', (batches * 1e6) / batchMs, theirs.batch),
    ];
  },
};
