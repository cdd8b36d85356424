import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { contractSubject, rejectsWith, type ContractHarness, type ContractRunner } from '../../core/contract.js';
import type { MLOpsPlugin } from '../mlops.plugin.js';

/** @internal Contract of artifacts. */
export function artifactsContract(runner: ContractRunner, harness: ContractHarness<MLOpsPlugin>): void {
  const { describe, it } = runner;
  describe('artifacts', () => {
    const subject = contractSubject(runner, harness);
    let runId: string;
    let folder: string;
    runner.beforeEach(async () => {
      runId = (await subject.plugin.startRun(await subject.plugin.createExperiment('artifacts'))).runId;
      folder = await mkdtemp(join(tmpdir(), 'mlops-contract-'));
    });
    runner.afterEach(() => rm(folder, { recursive: true, force: true }));
    const text = async (path: string) => (await subject.plugin.readArtifactBytes(runId, path)).toString('utf8');

    it('logText, logBytes and logDict store what readArtifactBytes reads', async () => {
      const { plugin } = subject;
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await plugin.logText(runId, 'Grüße\n', 'notes/a b+ü?%.txt');
      await plugin.logBytes(runId, bytes, 'raw.bin');
      await plugin.logBytes(runId, new Uint8Array(0), 'empty');
      await plugin.logDict(runId, { b: [1, { c: null }] }, 'd.json');
      assert.equal(await text('notes/a b+ü?%.txt'), 'Grüße\n');
      assert.deepEqual(await plugin.readArtifactBytes(runId, 'raw.bin'), bytes);
      assert.equal((await plugin.readArtifactBytes(runId, 'empty')).length, 0);
      assert.deepEqual(JSON.parse(await text('d.json')), { b: [1, { c: null }] });
      assert.ok((await text('d.json')).includes('\n'));
    });

    it('logDict refuses what JSON cannot carry', async () => {
      await rejectsWith(() => subject.plugin.logDict(runId, { a: NaN }, 'd.json'), 'PAYLOAD_INVALID');
      assert.deepEqual(await subject.plugin.listArtifacts(runId), []);
    });

    it('logStream stores a long stream, readArtifact streams it back', async () => {
      const { plugin } = subject;
      const chunk = Buffer.alloc(64 * 1024, 'x');
      await plugin.logStream(runId, Readable.from(Array.from({ length: 64 }, () => chunk)), 'big.bin');
      let size = 0;
      for await (const part of await plugin.readArtifact(runId, 'big.bin')) size += (part as Buffer).length;
      assert.equal(size, 64 * chunk.length);
      assert.equal((await plugin.listArtifacts(runId))[0]?.fileSize, size);
    });

    it('storing again replaces the file', async () => {
      await subject.plugin.logText(runId, 'a longer first text', 'f.txt');
      await subject.plugin.logText(runId, 'second', 'f.txt');
      assert.equal(await text('f.txt'), 'second');
    });

    it('a stream that fails stores nothing and keeps the old file', async () => {
      const { plugin } = subject;
      await plugin.logText(runId, 'old', 'f.txt');
      const failing = () =>
        Readable.from(
          (function* () {
            yield Buffer.from('half');
            throw new Error('source broke');
          })(),
        );
      await rejectsWith(() => plugin.logStream(runId, failing(), 'f.txt'), 'PAYLOAD_INVALID');
      await rejectsWith(() => plugin.logStream(runId, failing(), 'g.txt'), 'PAYLOAD_INVALID');
      const gone = Readable.from(['never read']);
      gone.destroy();
      await rejectsWith(() => plugin.logStream(runId, gone, 'h.txt'), 'PAYLOAD_INVALID');
      assert.equal(await text('f.txt'), 'old');
      assert.deepEqual(
        (await plugin.listArtifacts(runId)).map((file) => file.path),
        ['f.txt'],
      );
    });

    it('listArtifacts gives one level, folders first, then by name', async () => {
      const { plugin } = subject;
      for (const path of ['b.txt', 'a.txt', 'z/1.txt', 'z/y/2.txt', 'c/3.txt'])
        await plugin.logText(runId, '12345', path);
      const folderAt = (path: string) => ({ path, isDirectory: true, fileSize: null });
      const fileAt = (path: string) => ({ path, isDirectory: false, fileSize: 5 });
      assert.deepEqual(await plugin.listArtifacts(runId), [
        folderAt('c'),
        folderAt('z'),
        fileAt('a.txt'),
        fileAt('b.txt'),
      ]);
      assert.deepEqual(await plugin.listArtifacts(runId, 'z'), [folderAt('z/y'), fileAt('z/1.txt')]);
      assert.deepEqual(await plugin.listArtifacts(runId, 'z/y'), [fileAt('z/y/2.txt')]);
      assert.deepEqual(await plugin.listArtifacts(runId, 'none'), []);
    });

    it('logArtifact uploads a local file under its name', async () => {
      const { plugin } = subject;
      await writeFile(join(folder, 'model.bin'), 'weights');
      await plugin.logArtifact(runId, join(folder, 'model.bin'));
      await plugin.logArtifact(runId, join(folder, 'model.bin'), 'models/v1');
      assert.equal(await text('model.bin'), 'weights');
      assert.equal(await text('models/v1/model.bin'), 'weights');
      await rejectsWith(() => plugin.logArtifact(runId, join(folder, 'none')), 'NOT_FOUND');
      await rejectsWith(() => plugin.logArtifact(runId, folder), 'INVALID_ARGUMENT');
    });

    it('logArtifacts uploads a local folder with all below it', async () => {
      const { plugin } = subject;
      await mkdir(join(folder, 'in', 'deep'), { recursive: true });
      await writeFile(join(folder, 'in', 'a.txt'), 'A');
      await writeFile(join(folder, 'in', 'deep', 'b.txt'), 'B');
      await plugin.logArtifacts(runId, join(folder, 'in'), 'out');
      assert.equal(await text('out/a.txt'), 'A');
      assert.equal(await text('out/deep/b.txt'), 'B');
      await rejectsWith(() => plugin.logArtifacts(runId, join(folder, 'none')), 'NOT_FOUND');
    });

    it('symbolic links are not uploaded', async () => {
      const { plugin } = subject;
      await writeFile(join(folder, 'secret'), 'secret');
      await mkdir(join(folder, 'in'));
      await symlink(join(folder, 'secret'), join(folder, 'in', 'link'));
      await rejectsWith(() => plugin.logArtifact(runId, join(folder, 'in', 'link')), 'INVALID_ARGUMENT');
      await rejectsWith(() => plugin.logArtifacts(runId, join(folder, 'in')), 'INVALID_ARGUMENT');
      assert.deepEqual(await plugin.listArtifacts(runId), []);
    });

    it('paths that leave the root are INVALID_ARGUMENT', async () => {
      const { plugin } = subject;
      for (const path of ['', '/abs', '../up', 'a/../../up', 'a//b', './a', 'a/.', 'a\\..\\b', 'C:/x', 'a\0b']) {
        await rejectsWith(() => plugin.logText(runId, 'x', path), 'INVALID_ARGUMENT');
        await rejectsWith(() => plugin.readArtifact(runId, path), 'INVALID_ARGUMENT');
        await rejectsWith(() => plugin.deleteArtifacts(runId, path), 'INVALID_ARGUMENT');
        if (path === '') continue;
        await rejectsWith(() => plugin.listArtifacts(runId, path), 'INVALID_ARGUMENT');
        await rejectsWith(() => plugin.downloadArtifacts(runId, path, folder), 'INVALID_ARGUMENT');
      }
      assert.deepEqual(await plugin.listArtifacts(runId), []);
    });

    it('downloadArtifacts copies a file or a folder into the destination', async () => {
      const { plugin } = subject;
      await plugin.logText(runId, 'A', 'm/a.txt');
      await plugin.logText(runId, 'B', 'm/deep/b.txt');
      const target = join(folder, 'made', 'here');
      const file = await plugin.downloadArtifacts(runId, 'm/a.txt', target);
      assert.equal(await readFile(file, 'utf8'), 'A');
      assert.ok(file.startsWith(target));
      const copied = await plugin.downloadArtifacts(runId, 'm', target);
      assert.equal(await readFile(join(copied, 'a.txt'), 'utf8'), 'A');
      assert.equal(await readFile(join(copied, 'deep', 'b.txt'), 'utf8'), 'B');
      await rejectsWith(() => plugin.downloadArtifacts(runId, 'none', target), 'NOT_FOUND');
      assert.deepEqual(await readdir(folder), ['made']);
    });

    it('a download does not write through links in the destination', async () => {
      const { plugin } = subject;
      await plugin.logText(runId, 'new', 'm/a.txt');
      const outside = join(folder, 'outside');
      const target = join(folder, 'target');
      await mkdir(outside);
      await mkdir(target);
      await symlink(outside, join(target, 'm'));
      await rejectsWith(() => plugin.downloadArtifacts(runId, 'm/a.txt', target), 'CONFLICT');
      assert.deepEqual(await readdir(outside), []);
    });

    it('deleteArtifacts removes a file or a folder; a missing one has no effect', async () => {
      const { plugin } = subject;
      for (const path of ['a.txt', 'm/a.txt', 'm/b.txt']) await plugin.logText(runId, 'x', path);
      await plugin.deleteArtifacts(runId, 'm/a.txt');
      await plugin.deleteArtifacts(runId, 'none');
      assert.deepEqual(
        (await plugin.listArtifacts(runId, 'm')).map((file) => file.path),
        ['m/b.txt'],
      );
      await plugin.deleteArtifacts(runId, 'm');
      assert.deepEqual(
        (await plugin.listArtifacts(runId)).map((file) => file.path),
        ['a.txt'],
      );
    });

    it('a read sees uploads that were made before it and not awaited', async () => {
      const { plugin } = subject;
      const uploads = ['a', 'b', 'c'].map((name) => plugin.logText(runId, name, `${name}.txt`));
      assert.equal((await plugin.listArtifacts(runId)).length, 3);
      await Promise.all(uploads);
    });

    it('a missing file or run is NOT_FOUND', async () => {
      const { plugin } = subject;
      await plugin.logText(runId, 'x', 'm/a.txt');
      await rejectsWith(() => plugin.readArtifact(runId, 'none.txt'), 'NOT_FOUND');
      await rejectsWith(() => plugin.readArtifactBytes(runId, 'm'), 'NOT_FOUND');
      const none = 'f'.repeat(32);
      await rejectsWith(() => plugin.logText(none, 'x', 'a.txt'), 'NOT_FOUND');
      await rejectsWith(() => plugin.listArtifacts(none), 'NOT_FOUND');
      await rejectsWith(() => plugin.readArtifact(none, 'a.txt'), 'NOT_FOUND');
      await rejectsWith(() => plugin.downloadArtifacts(none, 'a.txt', folder), 'NOT_FOUND');
      await rejectsWith(() => plugin.deleteArtifacts(none, 'a.txt'), 'NOT_FOUND');
    });
  });
}
