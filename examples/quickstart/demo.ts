// The main job: npm run demo -- [--data-dir DIR] [--json FILE]
import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { MLOpsPlugin } from 'nestjs-experiment-hub';
import { AppModule } from './app.module.js';
import { WeatherService } from './weather.service.js';

const { values } = parseArgs({
  options: { 'data-dir': { type: 'string' }, json: { type: 'string' } },
});
const dataDir = resolve(values['data-dir'] ?? process.env['HUB_DATA_DIR'] ?? '.experiment-hub');
const began = Date.now();

const app = await NestFactory.create(AppModule.in(dataDir), { logger: ['error', 'warn'] });
app.enableShutdownHooks();
try {
  await app.listen(0, '127.0.0.1');
  const replay = await app.get(WeatherService).replay((line) => console.log(line));
  const answer = await fetch(new URL('/health', await app.getUrl()));
  const health = (await answer.json()) as { status: string };
  const store = join(dataDir, 'mlflow.db');

  console.log();
  console.table(replay.versions.map((row) => ({ ...row, accuracy: Number(row.accuracy.toFixed(3)) })));
  const { rowsIn, rowsOut, lost, accuracyFrozen, accuracyRetrained } = replay;
  console.table({ 'rows in': rowsIn, 'rows out': rowsOut, lost });
  console.table({
    frozen: { accuracy: accuracyFrozen.toFixed(3) },
    retrained: { accuracy: accuracyRetrained.toFixed(3) },
  });
  console.log(`GET /health → ${answer.status} ${JSON.stringify(health)}`);
  if (app.get(MLOpsPlugin).driver === 'local') {
    console.log(`MLflow database: ${store}`);
    console.log(`  look at it with: mlflow server --backend-store-uri sqlite:///${store}`);
  } else {
    console.log('The runs and models are on the MLflow server.');
  }
  console.log(`${((Date.now() - began) / 1_000).toFixed(1)} s`);
  if (values.json !== undefined)
    await writeFile(values.json, JSON.stringify({ ...replay, health, store }, undefined, 2));
  // A demo that lost a row has failed, whatever it printed.
  if (lost !== 0) process.exitCode = 1;
} finally {
  await app.close();
}
