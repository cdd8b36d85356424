import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../support/run-command.js';

const LIMIT = { timeout: 10_000 };

/** A small disk in memory, which really gets full. */
export class Tmpfs {
  private constructor(readonly folder: string) {}

  /** Whether this process may try to mount one. */
  static get possible(): boolean {
    return process.platform === 'linux' && process.getuid?.() === 0;
  }

  /**
   * Mounts one, or resolves to `undefined` where even root may not, as in most containers.
   * @param size bytes
   */
  static async mount(size: number): Promise<Tmpfs | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-tmpfs-'));
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], LIMIT);
    } catch {
      await rm(folder, { recursive: true });
      return undefined;
    }
    return new Tmpfs(folder);
  }

  /** Unmounts it, and frees its memory when nobody has a file of it open any more. */
  async remove(): Promise<void> {
    // Lazily: SQLite's statements keep the file open until they are collected as garbage.
    await run('umount', ['--lazy', this.folder], LIMIT);
    await rm(this.folder, { recursive: true });
  }
}
