// Child process of canary.spec.ts: boots the hub the way an application does, with Nest's own logger and abortOnError.
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataStreamPlugin, ExperimentHub, ExperimentHubModule, OnData } from '../../src/index.js';
import { vaultDriver } from './vault.driver.js';

const [configPath = '', control = ''] = process.argv.slice(2);

@Injectable()
class Consumer {
  @OnData('rows', { createQueue: true, retry: { attempts: 1, delay: 0 } })
  async receive(): Promise<void> {
    await app.get(DataStreamPlugin).flushQueue('rows');
  }
}

@Module({
  imports: [ExperimentHubModule.forRoot({ configPath, drivers: [vaultDriver] })],
  providers: [Consumer],
})
class App {}

const app = await NestFactory.create(App, { logger: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] });
await app.listen(0, '127.0.0.1');
const hub = app.get(ExperimentHub);
const stream = app.get(DataStreamPlugin);
console.log('booted', hub.plugins());
if (stream.phase === 'open') {
  await stream.sendData('rows', 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
}
const answer = await fetch(`${await app.getUrl()}/health`, { headers: { connection: 'close' } });
console.log('health', answer.status, await answer.text(), await hub.checkPluginHealth(), hub);
await stream.flushQueue('rows').catch((error: unknown) => console.error(error));
if (control === 'raw') await stream.deleteQueue('rows').catch((error: unknown) => console.error(error));
await app.close();
console.log('closed', hub.plugins());
