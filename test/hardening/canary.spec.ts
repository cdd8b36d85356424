import { writeFile } from 'node:fs/promises';
import { Logger, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService } from '@nestjs/terminus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';
import {
  DataStreamPlugin,
  ExperimentHub,
  ExperimentHubModule,
  experimentsSchema,
  hubConfigJsonSchema,
  HubHealthIndicator,
  loadHubConfig,
  PluginRegistry,
  Redactor,
} from '../../src/index.js';
import { printed } from '../support/canary.js';
import { LogListener } from '../support/log-listener.js';
import { CANARIES, canariesIn, vaultConfig } from './canaries.js';
import { CanaryRoom } from './canary-room.js';
import { FAILURES, VaultPlugin, vaultDriver, type Failure } from './vault.driver.js';

let room: CanaryRoom;
let listener: LogListener;
const apps: INestApplicationContext[] = [];

/** Boots with the file; a failed boot resolves to its error. */
async function boot(configPath: string): Promise<{ app?: INestApplicationContext; error?: unknown }> {
  listener = new LogListener();
  try {
    @Module({
      imports: [
        ExperimentHubModule.forRoot({ configPath, drivers: [vaultDriver], health: { details: true, cacheFor: 0 } }),
      ],
    })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: listener, abortOnError: false });
    apps.push(app);
    return { app };
  } catch (error) {
    return { error };
  }
}

beforeAll(async () => {
  room = await CanaryRoom.open();
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  Logger.overrideLogger(false);
});
afterAll(() => room.close());

/** Everything that a running application tells of its plugins. */
async function answersOf(app: INestApplicationContext): Promise<unknown[]> {
  const hub = app.get(ExperimentHub);
  const registry = app.get(PluginRegistry);
  const stream = app.get(DataStreamPlugin);
  const health = app.get(HealthCheckService);
  const answers: unknown[] = [
    await hub.checkPluginHealth(),
    await stream.healthCheck(),
    await app.get(HubHealthIndicator).isHealthy(),
    await health.check([() => app.get(HubHealthIndicator).isHealthy()]).catch((error: unknown) => error),
    hub.plugins(),
    hub,
    registry,
    registry.entries,
    stream,
  ];
  for (const call of [
    () => stream.flushQueue('rows'),
    () => stream.queueInfo('rows'),
    () => stream.sendData('rows', 1),
    () => stream.subscribe('rows', () => undefined, { concurrency: -1 }),
  ]) {
    answers.push(await call().catch((error: unknown) => error));
  }
  return answers;
}

describe('canary secrets', () => {
  it('are in the configuration, so that the tests below can see them', async () => {
    const schemas = { drivers: [...builtInDrivers([vaultDriver])], experimentsSchema };
    const config = loadHubConfig({ ...schemas, path: await room.configFile([]) });
    const canaries = Object.values(CANARIES).map(String);
    const text = JSON.stringify(config);
    for (const canary of canaries.filter((form) => form !== CANARIES.url)) {
      expect(text).toContain(JSON.stringify(canary).slice(1, -1));
    }
    expect(canariesIn(printed(config)).length).toBeGreaterThan(10);
  });

  it.each([...FAILURES, 'call'] as Failure[])('a driver that fails at %s tells none of them', async (failure) => {
    const { app, error } = await boot(await room.configFile([failure]));
    const told: unknown[] = [error, ...(app === undefined ? [] : await answersOf(app))];
    const boots = !['register', 'construct', 'initialize'].includes(failure);
    expect(app !== undefined).toBe(boots);
    if (app !== undefined) {
      await app.close();
      told.push(app.get(ExperimentHub).plugins(), await app.get(DataStreamPlugin).healthCheck());
    }
    told.push(listener.lines);
    expect(printed(told)).toContain('[redacted]');
    for (const value of told) expect(canariesIn(printed(value))).toEqual([]);
    if (['health', 'drain', 'shutdown'].includes(failure)) expect(printed(listener.lines)).toContain('refused');
  });

  it('an optional driver that does not start tells none of them, nor do the calls that it refuses', async () => {
    const { app } = await boot(await room.configFile(['initialize'], { required: false }));
    if (app === undefined) throw new Error('an optional plugin ended the boot');
    const told = [...(await answersOf(app)), listener.lines];
    expect(printed(told)).toContain('the backend is not available');
    for (const value of told) expect(canariesIn(printed(value))).toEqual([]);
    // The second attempt, and its line.
    await expect.poll(() => printed(listener.lines), { timeout: 5_000 }).toContain('still does not start');
    expect(canariesIn(printed(listener.lines))).toEqual([]);
  });

  it.each([
    ['a value that the driver’s own message quotes', { password: 'no' }, 'password'],
    ['a wrong type', { password: { nested: CANARIES.password } }, 'password'],
    ['a bad form', { url: `not a url ${CANARIES.url}` }, 'url'],
    ['a misspelt key', { pasword: CANARIES.password }, 'pasword'],
    ['a number for a text', { key: CANARIES.pin }, 'key'],
    ['a bad item', { accounts: [{ nam: CANARIES.account }] }, 'accounts'],
    ['a forbidden one', { mode: 'plain' }, 'key'],
    ['an unknown choice', { mode: '${HUB_TEST_CANARY}' }, 'mode'],
  ])('a configuration with %s tells none of them', async (_what, more, place) => {
    const { error } = await boot(await room.configFile([], { more }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(error)).toContain(place);
    expect(canariesIn(printed([error, listener.lines]))).toEqual([]);
    expect(canariesIn(printed(error))).toEqual([]);
  });

  it('no YAML fault quotes them', async () => {
    const path = await room.configFile([]);
    for (const tail of [
      'x: "',
      'x: !canary-header y',
      'x: *canary-key',
      '  bad',
      `a: [${CANARIES.token}`,
      'k: @canary-key',
    ]) {
      await writeFile(path, `password: ${CANARIES.header}\n${tail}\n`);
      const { error } = await boot(path);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(canariesIn(printed(error))).toEqual([]);
    }
  });

  it('the schema export holds none of them, loaded configuration or not', async () => {
    const schemas = { drivers: [...builtInDrivers([vaultDriver])], experimentsSchema };
    await boot(await room.configFile([]));
    const text = JSON.stringify(hubConfigJsonSchema(schemas));
    expect(text).toContain('plainUrls');
    expect(canariesIn(text)).toEqual([]);
  });

  it('a plugin registered at run time hides what its redactor knows', async () => {
    const { app } = await boot(await room.configFile([]));
    const options = { ...vaultConfig([], room.secretFile), failAt: ['initialize' as const], tokens: [], headers: {} };
    const plugin = new VaultPlugin({
      ...options,
      auth: { nested: {} },
      accounts: [],
      credentials: {},
      mode: 'plain',
      key: '',
      url: 'amqp://u:p@h',
      password: 'canary-at-run-time',
      plainUrls: [],
      pin: 1,
    });
    const hub = app?.get(ExperimentHub);
    const late = { name: 'late', required: true, redactor: new Redactor(['canary-at-run-time']) };
    const error = await hub?.registerPlugin(plugin, late).catch((reason: unknown) => reason);
    expect(String(error)).toContain('initialize refused');
    expect(printed([error, listener.lines, await plugin.healthCheck()])).not.toContain('canary-at-run-time');
  });

  it('the border: what a driver throws past this.error() comes to the caller as it is, and is the driver’s to map', async () => {
    const { app } = await boot(await room.configFile(['raw']));
    const error = await app
      ?.get(DataStreamPlugin)
      .deleteQueue('rows')
      .catch((reason: unknown) => reason);
    expect(canariesIn(printed(error)).length).toBeGreaterThan(10);
    // The hub's own lines and answers hide it all the same.
    app?.get(PluginRegistry).logger.error(String(error));
    expect(printed(listener.lines)).toContain('deleteQueue refused');
    expect(canariesIn(printed(listener.lines))).toEqual([]);
  });
});
