// npm run demo:stack [-- --json FILE]: the experiment of config/hub_config.compose.yaml on the services that it names.
import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { TaskQueuePlugin } from 'nestjs-experiment-hub';
import { AppModule } from './app.module.js';
import { DigitsService } from './digits.service.js';

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const began = Date.now();

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
try {
  await app.listen(0, '127.0.0.1');
  if ((await app.get(TaskQueuePlugin).ping()) === 0) {
    throw new Error('no worker answers: docker compose up --wait starts one, examples/python-worker says how else.');
  }
  const replay = await app.get(DigitsService).replay((line) => console.log(line));
  const answer = await fetch(new URL('/health', await app.getUrl()));
  const health = (await answer.json()) as { status: string };

  console.log();
  console.table(replay.versions.map((row) => ({ ...row, accuracy: Number(row.accuracy.toFixed(3)) })));
  const { experiment, rowsIn, rowsOut, lost, accuracyFrozen, accuracyRetrained } = replay;
  console.table({ 'rows in': rowsIn, 'rows out': rowsOut, lost });
  console.log('since the scanner gives negatives:');
  console.table({
    frozen: { accuracy: accuracyFrozen.toFixed(3) },
    retrained: { accuracy: accuracyRetrained.toFixed(3) },
  });
  console.log(`GET /health → ${answer.status} ${JSON.stringify(health)}`);
  console.log(`The champion in Python: mlflow.sklearn.load_model("models:/${experiment}@champion")`);
  console.log(`${((Date.now() - began) / 1_000).toFixed(1)} s`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ ...replay, health }, undefined, 2));
  // A demo that lost a row has failed, whatever it printed.
  if (lost !== 0) process.exitCode = 1;
} finally {
  await app.close();
}
