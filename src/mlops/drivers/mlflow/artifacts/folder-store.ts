import { constants, createWriteStream } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { throwIfAborted } from '../../../../core/deadline.js';
import { errorMessage, HubError } from '../../../../core/errors.js';
import { entryAt, hasCode, placeFile } from '../../../mlops.artifact-paths.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import { checkArtifactPath } from '../../../mlops.validation.js';
import type { ArtifactCallOptions, ArtifactStore, OpenArtifact } from './artifact-store.js';
import { UploadContent } from './upload-content.js';
import type { UploadSource } from './upload-source.js';

/** Artifacts in a folder of this machine, which the server's `file://` URI names. Links in it are never followed. */
export class FolderStore implements ArtifactStore {
  /** @param idleTimeout longest time that a content to store may give no bytes, in ms */
  constructor(
    private readonly root: string,
    private readonly idleTimeout: number,
  ) {}

  check(path: unknown, root = false): string[] {
    return checkArtifactPath(path, root);
  }

  async list(segments: readonly string[]): Promise<ArtifactInfo[]> {
    if ((await entryAt(this.root, segments))?.isDirectory() !== true) return [];
    const entries: ArtifactInfo[] = [];
    for (const name of await readdir(join(this.root, ...segments))) {
      const stats = await entryAt(this.root, [...segments, name]);
      if (stats === undefined) continue;
      const isDirectory = stats.isDirectory();
      entries.push({ path: [...segments, name].join('/'), isDirectory, fileSize: isDirectory ? null : stats.size });
    }
    return entries;
  }

  async open(segments: readonly string[]): Promise<OpenArtifact> {
    const path = JSON.stringify(segments.join('/'));
    const missing = new HubError('NOT_FOUND', `there is no artifact file ${path}.`);
    if ((await entryAt(this.root, segments))?.isFile() !== true) throw missing;
    // Not followed even when a link took the file's place since it was looked at.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
    const file = await open(join(this.root, ...segments), flags).catch((cause: unknown) => {
      throw hasCode(cause, 'ENOENT') || hasCode(cause, 'ELOOP') ? missing : unavailable(path, cause);
    });
    return { body: file.createReadStream(), headers: {} };
  }

  async upload(segments: readonly string[], source: UploadSource, { signal }: ArtifactCallOptions): Promise<void> {
    throwIfAborted(signal);
    const content = new UploadContent(source.open(), this.idleTimeout, source.size, signal);
    try {
      await placeFile(
        this.root,
        segments,
        (temporary) => pipeline(content.stream(Buffer.alloc(0)), createWriteStream(temporary, { flags: 'wx' })),
        // Beside the artifacts, so that nobody lists what is not complete.
        dirname(this.root),
      );
    } catch (error) {
      throwIfAborted(signal);
      if (content.failure !== undefined) throw content.failure;
      throw HubError.is(error) ? error : unavailable(segments.join('/'), error);
    } finally {
      content.destroy();
    }
  }

  async delete(segments: readonly string[]): Promise<void> {
    if ((await entryAt(this.root, segments)) === undefined) return;
    await rm(join(this.root, ...segments), { recursive: true, force: true });
  }
}

function unavailable(path: string, cause: unknown): HubError {
  return new HubError('UNAVAILABLE', `the artifact ${path} cannot be reached: ${errorMessage(cause)}`, { cause });
}
