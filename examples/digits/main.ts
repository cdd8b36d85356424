// The app of docker-compose.yml: serves the experiment `digits` on PORT (3000), and trains its first model.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Experiments, HubError } from 'nestjs-experiment-hub';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
// Without this, Nest does not see SIGTERM and nothing is drained.
app.enableShutdownHooks([], { useProcessExit: true });
// In a container, only what the host publishes is open.
await app.listen(Number(process.env['PORT'] ?? 3000), process.env['HOST'] ?? '127.0.0.1');
console.log(`listening on ${await app.getUrl()}`);

// Predictions answer 409 until there is a champion. A training that a stop interrupts is recovered by the next start.
const experiments = app.get(Experiments);
try {
  const { champion, inFlight } = await experiments.status('digits');
  if (champion === null && inFlight === null) {
    const { status, error } = await (await experiments.train('digits')).done;
    if (status === 'FAILED' || status === 'KILLED') console.error(`the first training ended ${status}: ${error}`);
  }
} catch (error) {
  // Stopped meanwhile, or another replica was quicker.
  if (!HubError.is(error, 'CLOSED', 'CONFLICT')) throw error;
}
