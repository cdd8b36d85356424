import { Agent, get } from 'node:http';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HubTestingModule } from 'nestjs-experiment-hub/testing';
import { elapsed, paired, rate, type Bench } from './bench.js';

const REQUESTS = 2_000;
const CONCURRENCY = 20;

@Controller('bare')
class BareController {
  @Get()
  root() {
    return { status: 'ok' };
  }
}

@Module({ imports: [HubTestingModule.forRoot({ health: {} })], controllers: [BareController] })
class App {}

/** Requests per second to `/health` against a bare route of the same application. */
export const health: Bench = {
  name: 'health',
  async run() {
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(0, '127.0.0.1');
    const base = await app.getUrl();
    const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
    const request = (path: string) =>
      new Promise<void>((resolve, reject) => {
        get(base + path, { agent }, (answer) => {
          answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(path))));
        }).on('error', reject);
      });
    const load = async (path: string): Promise<number> => {
      let left = REQUESTS;
      const client = async (): Promise<void> => {
        while (left-- > 0) await request(path);
      };
      return (REQUESTS / (await elapsed(() => Promise.all(Array.from({ length: CONCURRENCY }, client))))) * 1_000;
    };
    const result = await paired(
      () => load('/health'),
      () => load('/bare'),
    );
    agent.destroy();
    await app.close();
    return [rate('/health', 'requests/s', result.ours, result.baseline)];
  },
};
