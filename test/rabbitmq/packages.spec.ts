import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import rabbitmq from '../../src/datastream/drivers/rabbitmq/index.js';
import { run } from '../support/run-command.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the packages of the rabbitmq driver', () => {
  it('are those that the package names as its optional peers', async () => {
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    const { peerDependencies, peerDependenciesMeta } = JSON.parse(text) as {
      peerDependencies: Record<string, string>;
      peerDependenciesMeta: Record<string, { optional: boolean }>;
    };
    expect(rabbitmq.peers).toEqual(['@golevelup/nestjs-rabbitmq', 'amqplib']);
    for (const peer of rabbitmq.peers) {
      expect(peerDependencies).toHaveProperty([peer]);
      expect(peerDependenciesMeta[peer]).toEqual({ optional: true });
    }
  });

  it('amqp-connection-manager, beneath golevelup’s connection, loads amqplib 2.3 or newer', async () => {
    // As golevelup finds it, which has an older amqplib of its own.
    const golevelup = require.resolve('@golevelup/nestjs-rabbitmq');
    const manager = createRequire(golevelup).resolve('amqp-connection-manager');
    const loaded = createRequire(manager).resolve('amqplib');
    const root = loaded.slice(0, loaded.lastIndexOf(join('node_modules', 'amqplib')));
    const text = await readFile(join(root, 'node_modules', 'amqplib', 'package.json'), 'utf8');
    const [major = 0, minor = 0] = (JSON.parse(text) as { version: string }).version.split('.').map(Number);
    expect(major * 1_000 + minor).toBeGreaterThanOrEqual(2_003);
    expect(loaded).toBe(require.resolve('amqplib'));
  });
});

/** Boots the driver and prints the error; the address is nobody's, so a driver that loads fails in another way. */
const SCRIPT = `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataStreamModule } from './dist/index.js';
const datastream = { type: 'rabbitmq', config: { url: 'amqp://127.0.0.1:1', connectTimeout: 2000 } };
try {
  const module = DataStreamModule.forRoot(datastream);
  await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
} catch ({ code, message, details }) {
  console.log(JSON.stringify({ code, message, details }));
}
`;

// The built package, in a folder of its own whose node_modules lack something.
describe('an application that lacks a package of the rabbitmq driver', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-peers-'));
    await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
    await cp(join(root, 'package.json'), join(folder, 'package.json'));
    await writeFile(join(folder, 'boot.mjs'), SCRIPT);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function bootWithout(...missing: string[]): Promise<{ code: string; message: string; details: unknown }> {
    const modules = join(folder, 'node_modules');
    await rm(modules, { recursive: true, force: true });
    await mkdir(modules);
    for (const name of await readdir(join(root, 'node_modules'))) {
      if (name.startsWith('.') || name === '@golevelup' || missing.includes(name)) continue;
      await symlink(join(root, 'node_modules', name), join(modules, name));
    }
    // What asks for amqplib has to be there itself: a link would find the one beside its target.
    const copied = ['@golevelup/nestjs-rabbitmq', '@golevelup/nestjs-discovery', 'amqp-connection-manager'];
    for (const name of copied.filter((each) => !missing.includes(each))) {
      const own = join(root, 'node_modules', name);
      await rm(join(modules, name), { recursive: true, force: true });
      await mkdir(dirname(join(modules, name)), { recursive: true });
      const filter = (path: string): boolean => !path.slice(own.length).includes('node_modules');
      await cp(own, join(modules, name), { recursive: true, filter });
    }
    return JSON.parse(await run(process.execPath, ['boot.mjs'], { timeout: 60_000, cwd: folder })) as never;
  }

  it.each([
    ['both', ['@golevelup/nestjs-rabbitmq', 'amqplib'], '@golevelup/nestjs-rabbitmq'],
    ['golevelup', ['@golevelup/nestjs-rabbitmq'], '@golevelup/nestjs-rabbitmq'],
    ['amqplib', ['amqplib'], 'amqplib'],
  ])('%s: PEER_MISSING says what to install', async (_what, missing, named) => {
    const { code, message, details } = await bootWithout(...missing);
    expect({ code, details }).toEqual({ code: 'PEER_MISSING', details: { missing: named, install: rabbitmq.peers } });
    expect(message).toContain(`needs the package ${named}, which is not installed.`);
    expect(message).toContain('npm install @golevelup/nestjs-rabbitmq amqplib');
  });

  it('none: the same application gets as far as the broker', async () => {
    expect(await bootWithout()).toMatchObject({ code: 'UNAVAILABLE' });
  });
});
