import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../../core/contract.js';
import { LocalArtifacts } from './local.artifacts.js';
import type { LocalMLOpsOptions } from './local.options.js';
import { LocalMLOpsPlugin } from './local.plugin.js';

describe('artifacts of the local driver', () => {
  let folder: string;
  let opened: LocalMLOpsPlugin[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlops-artifacts-'));
    opened = [];
  });
  afterEach(async () => {
    for (const plugin of opened) await plugin.shutdown();
    await rm(folder, { recursive: true, force: true });
  });
  const open = async (options: Partial<LocalMLOpsOptions> = {}) => {
    const plugin = new LocalMLOpsPlugin({ dataDir: join(folder, 'data'), ...options });
    opened.push(plugin);
    await plugin.initialize();
    return plugin;
  };

  describe('an upload that stalls', () => {
    const idle = 150;
    const make = () =>
      new LocalArtifacts(
        { rootOf: async () => join(folder, 'run') },
        { receivingFolder: () => folder },
        'process',
        idle,
      );

    it('is TIMEOUT, and what waits for it goes on', async () => {
      const artifacts = make();
      const content = new PassThrough();
      content.write('first half');
      const upload = rejectsWith(() => artifacts.write('r', content, 'a.txt'), 'TIMEOUT');
      expect(await artifacts.list('r')).toEqual([]);
      await upload;
      expect(content.destroyed).toBe(true);
      expect(existsSync(join(folder, 'run', 'a.txt'))).toBe(false);
    });

    it('is none while something still comes, however slowly', async () => {
      const artifacts = make();
      const chunks = ['a', 'b', 'c', 'd', 'e', 'f'];
      const slow = Readable.from(
        (async function* () {
          for (const chunk of chunks) {
            await setTimeout(idle / 3);
            yield chunk;
          }
        })(),
      );
      await artifacts.write('r', slow, 'a.txt');
      expect(await readFile(join(folder, 'run', 'a.txt'), 'utf8')).toBe(chunks.join(''));
    });
  });

  describe('a link in place of a folder above the run', () => {
    it.each(['artifacts/1', 'artifacts'])('is not followed: %s', async (path) => {
      const plugin = await open();
      const { runId, artifactUri } = await plugin.startRun(await plugin.createExperiment('e'));
      await plugin.logText(runId, 'mine', 'a/b.txt');
      const place = join(folder, 'data', path);
      await rename(place, join(folder, 'elsewhere'));
      await symlink(join(folder, 'elsewhere'), place);
      const file = join(fileURLToPath(artifactUri), 'a', 'b.txt');
      expect(await readFile(file, 'utf8')).toBe('mine');
      await rejectsWith(() => plugin.readArtifact(runId, 'a/b.txt'), 'UNSUPPORTED');
      await rejectsWith(() => plugin.listArtifacts(runId), 'UNSUPPORTED');
      await rejectsWith(() => plugin.downloadArtifacts(runId, '', join(folder, 'copy')), 'UNSUPPORTED');
      await rejectsWith(() => plugin.logText(runId, 'other', 'a/b.txt'), 'UNSUPPORTED');
      await rejectsWith(() => plugin.deleteArtifacts(runId, 'a'), 'UNSUPPORTED');
      expect(await readFile(file, 'utf8')).toBe('mine');
    });

    it('is not followed when it leads nowhere yet', async () => {
      const plugin = await open();
      const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
      await symlink(join(folder, 'nowhere'), join(folder, 'data', 'artifacts', '1'));
      await rejectsWith(() => plugin.logText(runId, 'x', 'a.txt'), 'UNSUPPORTED');
      expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    });

    it('may be one of the artifactRoots itself', async () => {
      await mkdir(join(folder, 'real'));
      await symlink(join(folder, 'real'), join(folder, 'link'));
      const plugin = await open({ artifactRoots: [join(folder, 'link')] });
      for (const name of ['link', 'real']) {
        const artifactLocation = join(folder, name);
        const { runId } = await plugin.startRun(await plugin.createExperiment(name, { artifactLocation }));
        await plugin.logText(runId, name, 'a.txt');
        expect(await readFile(join(folder, 'real', runId, 'artifacts', 'a.txt'), 'utf8')).toBe(name);
      }
    });
  });

  it('keeps new data folders for this user alone, and leaves those that exist as they are', async () => {
    const mode = async (...path: string[]) => (await stat(join(folder, ...path))).mode & 0o777;
    await open();
    expect([await mode('data'), await mode('data', 'artifacts')]).toEqual([0o700, 0o700]);
    await mkdir(join(folder, 'shared', 'artifacts'), { recursive: true, mode: 0o755 });
    await open({ dataDir: join(folder, 'shared') });
    expect([await mode('shared'), await mode('shared', 'artifacts')]).toEqual([0o755, 0o755]);
  });

  it('refuses options that are wrong', async () => {
    for (const options of [{ durability: 'forever' }, { dataDir: 5 }, { dataFolder: 'x' }]) {
      expect(() => new LocalMLOpsPlugin(options as Partial<LocalMLOpsOptions>)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
    }
    expect(() => new LocalMLOpsPlugin({ artifactRoots: ['relative'] })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('artifactRoots[0]: has to be an absolute path.') as string,
      }),
    );
  });

  it('takes a folder that a file blocks as a fault of the store', async () => {
    const plugin = await open();
    const { runId } = await plugin.startRun(await plugin.createExperiment('e'));
    await writeFile(join(folder, 'data', 'artifacts', '1'), 'in the way');
    await rejectsWith(() => plugin.logText(runId, 'x', 'a.txt'), 'UNAVAILABLE');
    expect(await plugin.listArtifacts(runId)).toEqual([]);
  });
});
