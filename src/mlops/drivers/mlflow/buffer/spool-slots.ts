import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { errorMessage, HubError } from '../../../../core/errors.js';
import type { Durability } from '../../../../embedded/store.options.js';
import { openStore } from '../../../../embedded/store.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { SPOOL_MIGRATIONS } from './spool.schema.js';
import { SpoolFile } from './spool-file.js';

/** Most processes that may share a folder. */
const MAX_SLOTS = 256;
const SLOT = /^spool-(\d{1,3})\.db$/;

/** The files of a spool folder: each process owns one, `spool-0.db` and so on. */
export class SpoolSlots {
  constructor(
    private readonly folder: string,
    private readonly durability: Durability,
    private readonly logger: StoreLogger,
  ) {}

  /** Opens the first file that nobody owns. `UNAVAILABLE` when none can be opened. */
  take(): SpoolFile {
    let fault: unknown;
    for (let slot = 0; slot < MAX_SLOTS; slot += 1) {
      try {
        return this.#open(slot);
      } catch (error) {
        if (HubError.is(error, 'STORE_LOCKED')) continue;
        // A broken file is left as it is for somebody to look at; the next one may do. A broken folder breaks them all.
        fault ??= error;
        if (slot > 8) throw fault;
        this.logger.error(errorMessage(error));
      }
    }
    throw new HubError('UNAVAILABLE', `all ${MAX_SLOTS} files of the spool ${this.folder} are in use.`, {
      cause: fault,
    });
  }

  /** Opens, one after the other, the files other than `own` whose owner is gone. The caller closes each. */
  *orphans(own: string): Generator<SpoolFile> {
    for (const name of this.#names()) {
      const slot = SLOT.exec(name)?.[1];
      if (slot === undefined || name === basename(own)) continue;
      try {
        yield this.#open(Number(slot));
      } catch (error) {
        if (!HubError.is(error, 'STORE_LOCKED')) this.logger.error(errorMessage(error));
      }
    }
  }

  /** Closes a file; never throws. */
  giveUp(file: SpoolFile): void {
    try {
      file.close();
    } catch (error) {
      // On a full disk. Nothing is lost: the file stays locked until the process ends.
      this.logger.warn(`${file.path} could not be closed: ${errorMessage(error)}`);
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      this.logger.error(`the spool ${this.folder} cannot be read: ${errorMessage(error)}`);
      return [];
    }
  }

  #open(slot: number): SpoolFile {
    const store = openStore({
      dataDir: this.folder,
      durability: this.durability,
      file: `spool-${slot}.db`,
      migrations: SPOOL_MIGRATIONS,
    });
    return new SpoolFile(store);
  }
}
