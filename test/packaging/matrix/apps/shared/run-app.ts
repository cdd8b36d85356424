import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MatrixModule } from './matrix.module.js';
import { MatrixService } from './matrix.service.js';
import { bootWithoutPeer } from './missing-peer.js';

/** What an application hands to {@link runApp}, in its own module system. */
export interface Flavour {
  /** The built task module. */
  tasks: URL;
  /** Loads a package that is not there. */
  loadAbsent(): Promise<never>;
}

/** Boots the hub on Express and on Fastify, uses it and closes it; then a driver without its package. Rejects on a fault. */
export async function runApp({ tasks, loadAbsent }: Flavour): Promise<void> {
  const inFolder = (dataDir: string) => MatrixModule.in(dataDir);
  await onServer('express', tasks, (dataDir) =>
    NestFactory.create(inFolder(dataDir), new ExpressAdapter(), { logger: ['error', 'warn'], abortOnError: false }),
  );
  await onServer('fastify', tasks, (dataDir) =>
    NestFactory.create(inFolder(dataDir), new FastifyAdapter(), { logger: ['error', 'warn'], abortOnError: false }),
  );
  const { code, message } = await bootWithoutPeer(loadAbsent);
  assert.equal(code, 'PEER_MISSING');
  assert.match(message, /npm install hub-matrix-absent-sdk/);
  console.log('peer missing: ok');
}

async function onServer(
  name: string,
  tasks: URL,
  create: (dataDir: string) => Promise<INestApplication>,
): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hub-matrix-app-'));
  try {
    const app = await create(dataDir);
    try {
      await app.listen(0, '127.0.0.1');
      const service = app.get(MatrixService);
      assert.equal(await service.metric(), 0.75);
      assert.deepEqual(await service.message(), { row: 1 });
      assert.equal(await service.taskInProcess(), 42);
      assert.deepEqual(await service.taskInThread(tasks), { onMainThread: false });
      const answer = await fetch(new URL('/health', await app.getUrl()), { headers: { connection: 'close' } });
      assert.equal(answer.status, 200, await answer.text());
    } finally {
      await app.close();
    }
    console.log(`${name}: ok`);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
