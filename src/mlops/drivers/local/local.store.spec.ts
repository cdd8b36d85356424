import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect, rejectsWith } from '../../../core/contract.js';
import type { LocalMLOpsOptions } from './local.options.js';
import { LocalMLOpsPlugin } from './local.plugin.js';

describe('the store of the local driver', () => {
  let dataDir: string;
  let opened: LocalMLOpsPlugin[];
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mlops-store-'));
    opened = [];
  });
  afterEach(async () => {
    for (const plugin of opened) await plugin.shutdown();
    await rm(dataDir, { recursive: true, force: true });
  });
  const open = async (options: Partial<LocalMLOpsOptions> = {}) => {
    const plugin = new LocalMLOpsPlugin({ dataDir, ...options });
    opened.push(plugin);
    await plugin.initialize();
    return plugin;
  };
  const startRun = async (plugin: LocalMLOpsPlugin) => plugin.startRun(await plugin.ensureExperiment('e'));

  it('has MLflow’s default experiment, and artifacts under experiment and run', async () => {
    const plugin = await open();
    expect(await plugin.getExperiment('0')).toMatchObject({ name: 'Default', lifecycleStage: 'active' });
    const { runId, artifactUri } = await plugin.startRun('0');
    await plugin.logText(runId, 'x', 'a/b.txt');
    expect(fileURLToPath(artifactUri)).toBe(join(dataDir, 'artifacts', '0', runId, 'artifacts'));
    expect(existsSync(join(dataDir, 'artifacts', '0', runId, 'artifacts', 'a', 'b.txt'))).toBe(true);
    expect(await readdir(join(dataDir, 'artifacts', '0', runId))).toEqual(['artifacts']);
  });

  it('refuses a folder whose path leaves no room for artifact URIs', async () => {
    const long = join(dataDir, 'x'.repeat(100), 'y'.repeat(60));
    const error = await rejectsWith(() => open({ dataDir: long }), 'CONFIG_INVALID');
    expect(error.message).toMatch(/too long by \d+ characters/);
  });

  it('refuses a file that is no MLflow database, and one that is no database', async () => {
    const db = new Database(join(dataDir, 'mlflow.db'));
    db.exec('CREATE TABLE experiments (id INTEGER)');
    db.close();
    const error = await rejectsWith(() => open(), 'UNAVAILABLE');
    expect(error.message).toContain('no MLflow database');
    await writeFile(join(dataDir, 'mlflow.db'), 'not a database, but long enough to be taken for one'.repeat(40));
    await rejectsWith(() => open(), 'UNAVAILABLE');
  });

  it('in memory it keeps artifacts in a private folder, which shutdown removes', async () => {
    const plugin = await open({ dataDir: ':memory:' });
    const { runId, artifactUri } = await startRun(plugin);
    await plugin.logText(runId, 'x', 'a.txt');
    const file = join(fileURLToPath(artifactUri), 'a.txt');
    expect(existsSync(file)).toBe(true);
    await plugin.shutdown();
    expect(existsSync(file)).toBe(false);
    expect(plugin.supports).toEqual({ trackingUri: false, experimentTagDeletion: true, durable: false });
  });

  it('does not follow links that somebody put among the artifacts', async () => {
    const plugin = await open();
    const { runId, artifactUri } = await startRun(plugin);
    await plugin.logText(runId, 'x', 'real/a.txt');
    const root = fileURLToPath(artifactUri);
    await mkdir(join(dataDir, 'outside'));
    await writeFile(join(dataDir, 'outside', 'secret'), 'secret');
    await symlink(join(dataDir, 'outside'), join(root, 'folder'));
    await symlink(join(dataDir, 'outside', 'secret'), join(root, 'file'));
    expect((await plugin.listArtifacts(runId)).map((entry) => entry.path)).toEqual(['real']);
    expect(await plugin.listArtifacts(runId, 'folder')).toEqual([]);
    await rejectsWith(() => plugin.readArtifact(runId, 'file'), 'NOT_FOUND');
    await rejectsWith(() => plugin.readArtifact(runId, 'folder/secret'), 'NOT_FOUND');
    await rejectsWith(() => plugin.logText(runId, 'x', 'folder/new'), 'CONFLICT');
    await plugin.deleteArtifacts(runId, 'folder');
    await plugin.logText(runId, 'mine now', 'file');
    expect(await readdir(join(dataDir, 'outside'))).toEqual(['secret']);
    expect((await plugin.readArtifactBytes(runId, 'file')).toString()).toBe('mine now');
  });

  it('says so when an artifact cannot be written, and goes on', async () => {
    const plugin = await open();
    const { runId, experimentId } = await startRun(plugin);
    await writeFile(join(dataDir, 'artifacts', experimentId), 'a file where the folder belongs');
    const error = await rejectsWith(() => plugin.logText(runId, 'x', 'a.txt'), 'UNAVAILABLE');
    expect(error.message).toContain('a.txt cannot be written');
    await rm(join(dataDir, 'artifacts', experimentId));
    await plugin.logText(runId, 'x', 'a.txt');
    expect(await plugin.listArtifacts(runId)).toHaveLength(1);
  });

  it('an upload that is under way at shutdown rejects with CLOSED and leaves nothing', async () => {
    const plugin = await open();
    const { runId, artifactUri } = await startRun(plugin);
    const content = new PassThrough();
    const upload = rejectsWith(() => plugin.logStream(runId, content, 'a.txt'), 'CLOSED');
    content.write('first half');
    await setTimeout(50);
    await plugin.shutdown();
    content.end('second half');
    await upload;
    expect(existsSync(join(fileURLToPath(artifactUri), 'a.txt'))).toBe(false);
  });

  it('takes artifact locations within its folder and the artifactRoots only', async () => {
    const other = join(dataDir, 'other');
    const plugin = await open({ artifactRoots: [other] });
    const id = await plugin.createExperiment('allowed', { artifactLocation: other });
    const { runId } = await plugin.startRun(id);
    await plugin.logText(runId, 'x', 'a.txt');
    expect(existsSync(join(other, runId, 'artifacts', 'a.txt'))).toBe(true);
    for (const artifactLocation of [
      '/etc',
      'file:///etc',
      `${other}/../x`,
      's3://bucket',
      'relative',
      'file://host/x',
    ]) {
      await rejectsWith(() => plugin.createExperiment('refused', { artifactLocation }), 'INVALID_ARGUMENT');
    }
    await plugin.shutdown();
    const narrower = await open();
    await rejectsWith(() => narrower.readArtifact(runId, 'a.txt'), 'UNSUPPORTED');
  });

  it('waits for a lock of another process without blocking the event loop', async () => {
    const plugin = await open();
    const { runId } = await startRun(plugin);
    const other = new Database(join(dataDir, 'mlflow.db'));
    other.exec('BEGIN IMMEDIATE');
    let stored = false;
    const write = plugin.logMetric(runId, 'm', 1).then(() => (stored = true));
    const turns: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const start = Date.now();
      await setTimeout(10);
      turns.push(Date.now() - start);
    }
    expect(stored).toBe(false);
    expect(Math.max(...turns)).toBeLessThan(1_000);
    other.exec('COMMIT');
    other.close();
    await write;
    expect(await collect(plugin.getMetricHistory(runId, 'm'))).toHaveLength(1);
  });

  it('streams a history of 200 000 points in order', { timeout: 60_000 }, async () => {
    const plugin = await open({ dataDir: ':memory:' });
    const { runId } = await startRun(plugin);
    for (let start = 0; start < 200_000; start += 50_000) {
      const points = Array.from({ length: 50_000 }, (_, i) => ({ key: 'm', value: start + i, step: start + i }));
      await plugin.logMetrics(runId, points);
    }
    let next = 0;
    for await (const point of plugin.getMetricHistory(runId, 'm')) if (point.value === next) next += 1;
    expect(next).toBe(200_000);
  });

  it('keeps its promises with durability power too', async () => {
    const plugin = await open({ durability: 'power' });
    const { runId } = await startRun(plugin);
    await plugin.logMetric(runId, 'm', 1);
    await plugin.logText(runId, 'x', 'deep/a.txt');
    await plugin.shutdown();
    const again = await open({ durability: 'power' });
    expect((await again.getRun(runId)).metrics['m']?.value).toBe(1);
    expect((await again.readArtifactBytes(runId, 'deep/a.txt')).toString()).toBe('x');
  });

  it('two plugins can share a file, as the hub and MLflow do', async () => {
    const [one, two] = [await open(), await open()];
    const { runId } = await startRun(one);
    const writes = [one, two].flatMap((plugin, writer) =>
      Array.from({ length: 200 }, (_, step) => plugin.logMetric(runId, `m${writer}`, step, { step })),
    );
    await Promise.all(writes);
    expect((await two.getRun(runId)).metrics).toMatchObject({ m0: { step: 199 }, m1: { step: 199 } });
  });

  it('keeps points that are awaited one by one while another process takes the lock and writes', async () => {
    const plugin = await open();
    const { runId } = await startRun(plugin);
    const other = new Database(join(dataDir, 'mlflow.db'));
    other.exec('PRAGMA busy_timeout = 5000; CREATE TABLE beside (x)');
    for (let step = 0; step < 40; step += 1) {
      for (let point = 0; point < 5; point += 1) await plugin.logMetric(runId, 'm', point, { step: step * 5 + point });
      other.exec('BEGIN IMMEDIATE; INSERT INTO beside VALUES (1)');
      const blocked = plugin.logMetric(runId, 'blocked', step, { step });
      const alsoBlocked = plugin.setTag(runId, 'step', `${step}`);
      await setTimeout(8);
      other.exec('COMMIT');
      await Promise.all([blocked, alsoBlocked]);
    }
    other.close();
    expect(await collect(plugin.getMetricHistory(runId, 'm'))).toHaveLength(200);
    expect(await collect(plugin.getMetricHistory(runId, 'blocked'))).toHaveLength(40);
    const { tags, metrics } = await plugin.getRun(runId);
    expect([tags['step'], metrics['m']?.step]).toEqual(['39', 199]);
  });

  it('keeps order and every point when awaited points and bursts follow each other', async () => {
    const plugin = await open();
    const { runId } = await startRun(plugin);
    let step = 0;
    const log = () => plugin.logMetric(runId, 'm', step, { step: (step += 1) });
    for (let round = 0; round < 50; round += 1) {
      for (let i = 0; i < round % 4; i += 1) await log();
      await Promise.all(Array.from({ length: round % 7 }, log));
    }
    const history = await collect(plugin.getMetricHistory(runId, 'm'));
    expect(history.map((point) => point.value)).toEqual(Array.from({ length: step }, (_, i) => i));
    await plugin.logMetric(runId, 'm', 1);
    await plugin.deleteRun(runId);
    await rejectsWith(() => plugin.logMetric(runId, 'm', 2), 'CONFLICT');
    await rejectsWith(() => plugin.logMetric('f'.repeat(32), 'm', 2), 'NOT_FOUND');
  });
});
