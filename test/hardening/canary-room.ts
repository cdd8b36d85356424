import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CANARIES, vaultConfig } from './canaries.js';
import type { Failure } from './vault.driver.js';

/** A folder with configuration files that hold canaries, and the secrets outside of them that they name. */
export class CanaryRoom {
  #files = 0;

  private constructor(
    private readonly folder: string,
    /** A file with a secret. */
    readonly secretFile: string,
  ) {}

  /** Makes it, and sets HUB_TEST_CANARY. */
  static async open(): Promise<CanaryRoom> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-canary-'));
    const secretFile = join(folder, 'secret');
    await writeFile(secretFile, `${CANARIES.file}\n`);
    process.env['HUB_TEST_CANARY'] = CANARIES.env;
    return new CanaryRoom(folder, secretFile);
  }

  /** A configuration file with a canary in every field; resolves to its path. */
  async configFile(failAt: readonly Failure[], { required = true, more = {} } = {}): Promise<string> {
    const local = { type: 'local', config: { data_dir: ':memory:' } };
    const vault = {
      type: 'vault',
      required,
      init_timeout: 5_000,
      config: { ...vaultConfig(failAt, this.secretFile), ...more },
    };
    const path = join(this.folder, `hub-${(this.#files += 1)}.yaml`);
    await writeFile(
      path,
      stringify({
        global: { log_level: 'verbose', work_dir: join(this.folder, 'work'), shutdown_timeout: 3_000 },
        plugins: { mlops: local, datastream: vault, taskqueue: local },
      }),
    );
    return path;
  }

  /** Removes it, and the variable. */
  async close(): Promise<void> {
    delete process.env['HUB_TEST_CANARY'];
    await rm(this.folder, { recursive: true, force: true });
  }
}
