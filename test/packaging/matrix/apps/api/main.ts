import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { addHubApi, ExperimentHubApiModule } from 'nestjs-experiment-hub/api';
import { MatrixModule } from '../shared/matrix.module.js';

const token = 'token-of-the-matrix';

@Module({})
class ApiModule {
  static in(dataDir: string): DynamicModule {
    const api = ExperimentHubApiModule.forRoot({ auth: { bearerTokens: [token] }, tasks: ['matrix.double'] });
    return { module: ApiModule, imports: [MatrixModule.in(dataDir), api] };
  }
}

async function onServer(name: string, adapter: AbstractHttpAdapter): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hub-matrix-api-'));
  const app = await NestFactory.create(ApiModule.in(dataDir), adapter, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  try {
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const ask = async (method: string, path: string, body?: string, authorization = `Bearer ${token}`) => {
      const answer = await fetch(`${url}/api${path}`, {
        method,
        headers: { authorization, connection: 'close', 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      });
      return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
    };
    for (const method of ['GET', 'POST', 'PATCH', 'OPTIONS']) {
      for (const path of ['', '/', '/experiments', '/experiments/', '/tasks', '/nope/x', '/openapi.json']) {
        const { status, type } = await ask(method, path, method === 'POST' ? '{"a' : undefined, 'Bearer wrong');
        assert.deepEqual([method, path, status, type.split(';')[0]], [method, path, 401, 'application/problem+json']);
      }
    }
    const bad = await ask('POST', '/tasks', '{"a');
    assert.deepEqual([bad.status, bad.type.split(';')[0]], [400, 'application/problem+json'], bad.text);
    const submitted = await ask('POST', '/tasks', '{"name":"matrix.double","args":[21]}');
    assert.equal(submitted.status, 202, submitted.text);
    const { taskId } = JSON.parse(submitted.text) as { taskId: string };
    const result = await ask('GET', `/tasks/${taskId}/result?wait=20000`);
    assert.deepEqual(JSON.parse(result.text), { taskId, result: 42 });
    const stream = await ask('GET', `/tasks/${taskId}/progress`);
    assert.match(stream.text, /event: end/);
    const missing = await ask('GET', '/tasks/nobody/progress');
    assert.equal(missing.status, 404, missing.text);
    const document = addHubApi(SwaggerModule.createDocument(app, new DocumentBuilder().build()), app);
    assert.ok(Object.hasOwn(document.paths, '/api/experiments/{name}/predict'));
  } finally {
    await app.close();
    await rm(dataDir, { recursive: true, force: true });
  }
  console.log(`${name}: ok`);
}

await onServer('express', new ExpressAdapter());
await onServer('fastify', new FastifyAdapter());
