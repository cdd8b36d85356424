import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MLflowClient } from '../src/mlops/drivers/mlflow/client/mlflow.client.js';
import type { MLOpsPlugin } from '../src/mlops/mlops.plugin.js';
import { MLflowServer } from '../test/support/mlflow-server.js';
import { mlflowPlugin } from '../test/support/open-mlflow.js';
import { alternating, elapsed, paired, rate, type Bench, type BenchLine } from './bench.js';
import { PythonRates } from './python-rates.js';

const POINTS = 50_000;
/** Python's slow ways are measured with less: all figures are rates. */
const PYTHON_POINTS = { sync: 200, async: 1_000, batch: POINTS };
/** Of each measurement; one more warms up. */
const ROUNDS = 3;
const FILE = 200_000_000;
const LARGE_FILE = 1_000_000_000;
const START = 1_700_000_000_000;
const execute = promisify(execFile);

/** What the measurements share. */
interface Stage {
  plugin: MLOpsPlugin;
  server: MLflowServer;
  python: string;
  folder: string;
  experimentId: string;
}

/** The MLflow driver against its own HTTP client, MLflow's Python client and `curl`, all on one real server. */
export const mlflow: Bench = {
  name: 'mlflow',
  async run(folder) {
    const python = process.env['HUB_TEST_PYTHON'] ?? '.venv/bin/python';
    const server = await MLflowServer.start(python, folder);
    const plugin = mlflowPlugin({ mlflowUri: server.url, spool: { dir: join(folder, 'spool') } });
    try {
      await plugin.initialize();
      const stage = { plugin, server, python, folder, experimentId: await plugin.createExperiment('bench') };
      return [...(await metrics(stage)), ...(await artifacts(stage)), await memory(stage)];
    } finally {
      await plugin.shutdown();
      await server.stop();
    }
  },
};

async function metrics({ plugin, server, python, experimentId }: Stage): Promise<BenchLine[]> {
  const client = MLflowClient.connect({ mlflowUri: server.url });
  const rates = new PythonRates(python, 'mlflow_rates.py', [server.url, experimentId]);
  const newRun = async (): Promise<string> => (await plugin.startRun(experimentId)).runId;
  try {
    const figures = await alternating(
      {
        ours: async () => {
          const runId = await newRun();
          const ms = await elapsed(async () => {
            const calls: Promise<void>[] = [];
            for (let step = 0; step < POINTS; step += 1) {
              calls.push(plugin.logMetric(runId, 'loss', step / 7, { step, timestamp: START + step }));
            }
            await plugin.flush();
            await Promise.all(calls);
          });
          return (POINTS / ms) * 1_000;
        },
        raw: async () => {
          const runId = await newRun();
          const ms = await elapsed(async () => {
            for (let start = 0; start < POINTS; start += 1_000) {
              const points = Array.from({ length: 1_000 }, (_unused, index) => {
                const step = start + index;
                return { key: 'loss', value: step / 7, timestamp: START + step, step };
              });
              const body = { run_id: runId, metrics: points };
              await client.transport.json({ method: 'POST', path: '/api/2.0/mlflow/runs/log-batch', body });
            }
          });
          return (POINTS / ms) * 1_000;
        },
        sync: () => rates.measure('sync', PYTHON_POINTS.sync),
        async: () => rates.measure('async', PYTHON_POINTS.async),
        batch: () => rates.measure('batch', PYTHON_POINTS.batch),
      },
      ROUNDS,
    );
    return [
      rate('logMetric against raw log-batch requests of 1000', 'points/s', figures.ours, figures.raw),
      rate('logMetric against Python log_metric', 'points/s', figures.ours, figures.sync),
      rate('logMetric against Python log_metric, asynchronous', 'points/s', figures.ours, figures.async),
      rate('logMetric against Python log_batch of 1000', 'points/s', figures.ours, figures.batch),
    ];
  } finally {
    rates.stop();
    await client.close();
  }
}

async function artifacts({ plugin, server, folder, experimentId }: Stage): Promise<BenchLine[]> {
  const { runId, artifactUri } = await plugin.startRun(experimentId);
  const file = join(folder, 'file.bin');
  await writeFile(file, randomBytes(FILE));
  const target = join(folder, 'downloads');
  await mkdir(target);
  const base = `${server.url}/api/2.0/mlflow-artifacts/artifacts/${artifactUri.replace(/^mlflow-artifacts:\/+/, '')}`;
  const curl = (...args: string[]) => execute('curl', ['--silent', '--show-error', '--fail', ...args]);
  const perSecond = async (work: () => Promise<unknown>) => FILE / 1e6 / ((await elapsed(work)) / 1_000);
  const uploads = await paired(
    () => perSecond(() => plugin.logArtifact(runId, file, 'ours')),
    () => perSecond(() => curl('--upload-file', file, `${base}/curl/file.bin`)),
    ROUNDS,
  );
  const downloads = await paired(
    () => perSecond(() => plugin.downloadArtifacts(runId, 'ours/file.bin', target)),
    () => perSecond(() => curl('--output', join(target, 'curl.bin'), `${base}/curl/file.bin`)),
    ROUNDS,
  );
  return [
    rate('upload of 200 MB against curl', 'MB/s', uploads.ours, uploads.baseline),
    rate('download of 200 MB against curl', 'MB/s', downloads.ours, downloads.baseline),
  ];
}

/** In a process of its own: what the measurements before left in memory would hide growth. */
async function memory({ plugin, server, folder, experimentId }: Stage): Promise<BenchLine> {
  const { runId } = await plugin.startRun(experimentId);
  const file = join(folder, 'large.bin');
  const handle = await open(file, 'w');
  await handle.truncate(LARGE_FILE);
  await handle.close();
  const child = fileURLToPath(new URL('mlflow-memory.child.ts', import.meta.url));
  const args = ['--import', 'tsx', child, server.url, runId, file, join(folder, 'memory-spool')];
  const { stdout } = await execute(process.execPath, args, { timeout: 600_000 });
  return rate('upload of 1 GB, memory above start', 'MB', Number(stdout.trim()) / 1e6, null);
}
