import 'reflect-metadata';
import { pathToFileURL } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataStreamPlugin, ExperimentHubModule } from 'nestjs-experiment-hub';
import memory from './memory/index.js';

/** The one line: `drivers: [memory]`. From then on the configuration can pick it by its name. */
@Module({
  imports: [
    ExperimentHubModule.forRoot({
      drivers: [memory],
      config: {
        plugins: {
          datastream: { type: 'memory', config: { maxPayloadBytes: 1_024 } },
          mlops: { enabled: false },
          taskqueue: { enabled: false },
        },
      },
    }),
  ],
})
export class AppModule {}

/** Boots the application, sends one message through the driver, and resolves to what came back. */
export async function main(): Promise<unknown> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  try {
    const stream = app.get(DataStreamPlugin);
    await stream.createQueue('greetings');
    await stream.sendData('greetings', { hello: stream.driver });
    const delivery = await stream.pullData('greetings');
    await delivery?.ack();
    return delivery?.payload;
  } finally {
    await app.close();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  void main().then((payload) => console.log(payload));
}
