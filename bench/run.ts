/** `npm run bench [-- --only NAME] [--json FILE]`: prints each figure beside the raw client's from the same run. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Bench, BenchLine } from './bench.js';
import { inFolder } from './bench.js';
import { boot } from './boot.bench.js';
import { bullmq } from './bullmq.bench.js';
import { celery } from './celery.bench.js';
import { health } from './health.bench.js';
import { metrics } from './metrics.bench.js';
import { mlflow } from './mlflow.bench.js';
import { mlflowClient } from './mlflow-client.bench.js';
import { messages } from './messages.bench.js';
import { rabbitmq } from './rabbitmq.bench.js';
import { tasks } from './tasks.bench.js';

const benches: Bench[] = [metrics, mlflowClient, mlflow, messages, rabbitmq, tasks, bullmq, celery, boot, health];
const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
const chosen = benches.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  throw new Error(`no bench ${values.only}; there are: ${benches.map(({ name }) => name).join(', ')}`);
}

const digits = (value: number | null): string =>
  value === null ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 2 : 0 });
const lines: BenchLine[] = [];
for (const bench of chosen) {
  for (const line of await inFolder((folder) => bench.run(folder))) {
    lines.push(line);
    const ratio = line.ratio === null ? '' : `  ratio ${digits(line.ratio)}`;
    console.log(`${line.name}: ${digits(line.ours)} ${line.unit} (raw ${digits(line.baseline)})${ratio}`);
  }
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(lines, undefined, 2)}\n`);
