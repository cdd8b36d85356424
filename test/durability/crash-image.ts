import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';

/** What SQLite itself says of a database file. */
export interface StoreFaults {
  /** `PRAGMA integrity_check`; `['ok']` when there is nothing to say. */
  integrity: unknown[];
  /** `PRAGMA foreign_key_check`. */
  foreignKeys: unknown[];
}

/**
 * Checks a database as a killed process left it: a copy of the file and its log, so that looking at it repairs nothing
 * and takes no lock that the owner needs.
 */
export async function checkCrashImage(folder: string, file: string): Promise<StoreFaults> {
  const copies = await mkdtemp(join(tmpdir(), 'hub-image-'));
  try {
    await copyFile(join(folder, file), join(copies, file));
    await copyFile(join(folder, `${file}-wal`), join(copies, `${file}-wal`)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    const db = new Database(join(copies, file));
    try {
      const all = (sql: string) => db.prepare(sql).raw().all() as unknown[][];
      return {
        integrity: all('PRAGMA integrity_check').flat(),
        foreignKeys: all('PRAGMA foreign_key_check'),
      };
    } finally {
      db.close();
    }
  } finally {
    await rm(copies, { recursive: true, force: true });
  }
}
