import { Module, type DynamicModule, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { DataStreamPlugin, ExperimentHub, ExperimentHubModule, type HubHealthOptions } from '../../src/index.js';
import { LogListener } from '../support/log-listener.js';

/** What `hub_config.yaml` says of the data stream. */
export interface StreamEntry {
  enabled?: boolean;
  required?: boolean;
  config: object;
}

/** What else the application has. */
export interface HubAppParts {
  providers?: Type[];
  imports?: (Type | DynamicModule)[];
  health?: HubHealthOptions;
  log?: LogListener;
  /** ms; default 15 s. */
  shutdownTimeout?: number;
}

/** An answer of `/health`. */
export interface HealthAnswer {
  status: number;
  body: { status: string; details: Record<string, Record<string, unknown>> };
  text: string;
}

/** An application with the hub on RabbitMQ, listening. */
export class HubApp {
  private constructor(
    readonly app: INestApplication,
    readonly log: LogListener,
  ) {}

  /** Boots it; rejects as the boot does. */
  static async boot(stream: StreamEntry, parts: HubAppParts = {}): Promise<HubApp> {
    const { log = new LogListener(), providers = [], imports = [], health = {}, shutdownTimeout = 15_000 } = parts;
    const memory = { type: 'local', config: { dataDir: ':memory:' } };
    const plugins = { mlops: memory, datastream: { type: 'rabbitmq', ...stream }, taskqueue: memory };
    const hub = ExperimentHubModule.forRoot({
      config: { global: { shutdownTimeout }, plugins },
      health: { cacheFor: 0, ...health },
    });
    @Module({ imports: [hub, ...imports], providers })
    class App {}
    const app = await NestFactory.create(App, new ExpressAdapter(), { logger: log, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    return new HubApp(app, log);
  }

  get stream(): DataStreamPlugin {
    return this.app.get(DataStreamPlugin);
  }

  get hub(): ExperimentHub {
    return this.app.get(ExperimentHub);
  }

  async health(path = '/health'): Promise<HealthAnswer> {
    const answer = await fetch((await this.app.getUrl()) + path);
    const text = await answer.text();
    return { status: answer.status, body: JSON.parse(text) as HealthAnswer['body'], text };
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}
