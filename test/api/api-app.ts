import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExperimentHubApiModule, type ExperimentHubApiModuleOptions, type Problem } from '../../src/api/index.js';
import { ExperimentHubModule, TaskQueuePlugin, type ExperimentDefinition, type TaskHandler } from '../../src/index.js';
import { toy, toyTasks } from '../experiment/stack.js';

/** The token of the guarded applications. */
export const TOKEN = 'a-token-of-the-tests';

export const adapters = {
  express: (): AbstractHttpAdapter => new ExpressAdapter(),
  fastify: (): AbstractHttpAdapter => new FastifyAdapter(),
};

/** An answer with its JSON body, if it is one. */
export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface ApiAppOptions {
  adapter?: keyof typeof adapters;
  api?: Partial<ExperimentHubApiModuleOptions>;
  /** Instead of `ExperimentHubApiModule.forRoot(api)`. */
  module?: DynamicModule;
  tasks?: Record<string, TaskHandler>;
  experiments?: ExperimentDefinition[];
  imports?: DynamicModule[];
  configure?: (app: INestApplication) => void;
}

/** An application on the local drivers with the API in it, listening on a free port of 127.0.0.1. */
export class ApiApp {
  private constructor(
    readonly app: INestApplication,
    readonly url: string,
    private readonly folder: string,
  ) {}

  static async open(options: ApiAppOptions = {}): Promise<ApiApp> {
    const { adapter = 'express', tasks = {}, experiments = [toy()] } = options;
    const folder = await mkdtemp(join(tmpdir(), 'hub-api-'));
    const local = { type: 'local', config: { dataDir: folder } };
    const api =
      options.module ??
      ExperimentHubApiModule.forRoot({
        auth: { bearerTokens: [TOKEN] },
        tasks: ['echo', 'slow', 'fail'],
        queues: { read: ['jobs'], send: ['jobs'], manage: ['jobs'] },
        ...options.api,
      });
    @Module({
      imports: [
        ...(options.imports ?? []),
        ExperimentHubModule.forRoot({
          config: {
            global: { workDir: join(folder, 'work') },
            plugins: { mlops: local, datastream: local, taskqueue: local },
            experiments,
          },
        }),
        api,
      ],
    })
    class App {}
    const app = await NestFactory.create(App, adapters[adapter](), { logger: false, abortOnError: false });
    options.configure?.(app);
    await app.init();
    const queue = app.get(TaskQueuePlugin);
    const own = Object.entries(toyTasks).map(([name, handler]) => [`toy.${name}`, handler] as const);
    for (const [name, handler] of [...own, ...Object.entries(tasks)]) await queue.registerTask(name, handler);
    await app.listen(0, '127.0.0.1');
    return new ApiApp(app, (await app.getUrl()).replace('[::1]', '127.0.0.1'), folder);
  }

  /** Sends a request with the token, and a JSON body when given. */
  async send<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = /json/.test(answer.headers.get('content-type') ?? '') && text !== '';
    return { status: answer.status, headers: answer.headers, body: (json ? JSON.parse(text) : text) as T };
  }

  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.send<T>('GET', path);
  }

  post<T = Record<string, unknown>>(path: string, body?: unknown): Promise<Answer<T>> {
    return this.send<T>('POST', path, body);
  }

  /** Sends a request that has to be refused and returns its problem. */
  async problem(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Problem> {
    const answer = await this.send<Problem>(method, path, body, headers);
    const type = answer.headers.get('content-type') ?? '';
    if (!type.startsWith('application/problem+json')) {
      throw new Error(`${method} ${path} answered ${answer.status} ${type}: ${JSON.stringify(answer.body)}`);
    }
    if (answer.body.status !== answer.status) throw new Error('status and body differ');
    return answer.body;
  }

  async close(): Promise<void> {
    await this.app.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
