// npm start: serves the application on PORT (3000).
import 'reflect-metadata';
import { resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { Experiments, HubError } from 'nestjs-experiment-hub';
import { AppModule } from './app.module.js';
import { weatherExperiment } from './weather.experiment.js';
import { WeatherService } from './weather.service.js';

const app = await NestFactory.create(AppModule.in(resolve(process.env['HUB_DATA_DIR'] ?? '.experiment-hub')));
// Without this, Nest does not see SIGTERM and nothing is drained.
app.enableShutdownHooks([], { useProcessExit: true });
await app.init();

// Goes on with the experiment of the latest demo in this folder, or begins the first one.
const experiments = app.get(Experiments);
const weather = app.get(WeatherService);
const name = (await weather.earlier()).at(-1) ?? 'weather';
experiments.define(weatherExperiment(name));
await app.listen(Number(process.env['PORT'] ?? 3000));
console.log(`listening on ${await app.getUrl()}`);

// Predictions answer 409 until there is a champion. A training that a stop interrupts is recovered by the next start.
try {
  for (const { done } of await experiments.recover()) await done;
  if ((await experiments.status(name)).champion === null) {
    const { status, error } = await weather.trainFirst(name);
    if (status === 'FAILED' || status === 'KILLED') console.error(`the first training ended ${status}: ${error}`);
  }
} catch (error) {
  // The application was stopped meanwhile.
  if (!HubError.is(error, 'CLOSED')) throw error;
}
