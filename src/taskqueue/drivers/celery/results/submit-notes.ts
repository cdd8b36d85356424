import { setImmediate } from 'node:timers/promises';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { faultText, type RedisClients } from '../../../../redis/index.js';

/** Most notes of one command. */
const CHUNK = 500;
/** Pairs of text and time to live in ms, for each key. */
const SET_ALL = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i]) end";

/** A text that is kept for a while. */
export interface ExpiringText {
  key: string;
  text: string;
  /** ms */
  ttl: number;
}

/**
 * Writes notes to Redis: those of one turn of the event loop by one command, and while Redis works on that, what comes
 * meanwhile by the next. What cannot be written is let go of.
 */
export class SubmitNotes {
  #waiting: ExpiringText[] = [];
  #written: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #scripts = true;

  constructor(
    private readonly clients: RedisClients,
    private readonly logger: StoreLogger,
  ) {}

  /** Resolves when the notes are written, or cannot be. */
  write(notes: readonly ExpiringText[]): Promise<void> {
    for (const note of notes) this.#waiting.push(note);
    this.#written ??= this.#last = this.#next(this.#last);
    return this.#written;
  }

  async #next(last: Promise<void>): Promise<void> {
    await last;
    await setImmediate();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const notes = this.#waiting;
    this.#waiting = [];
    this.#written = undefined;
    if (!this.clients.up) return;
    const chunks: ExpiringText[][] = [];
    for (let start = 0; start < notes.length; start += CHUNK) chunks.push(notes.slice(start, start + CHUNK));
    try {
      await Promise.all(chunks.map((chunk) => this.#write(chunk)));
    } catch (error) {
      this.logger.debug(`submits cannot be noted: ${faultText(error)}`);
    }
  }

  async #write(notes: readonly ExpiringText[]): Promise<void> {
    const { command } = this.clients;
    if (this.#scripts && notes.length > 1) {
      const keys = notes.map(({ key }) => key);
      try {
        await command.eval(SET_ALL, keys.length, ...keys, ...notes.flatMap(({ text, ttl }) => [text, ttl]));
        return;
      } catch (error) {
        if (!isRefused(error)) throw error;
        // Scripts are not for every user.
        this.#scripts = false;
      }
    }
    await Promise.all(notes.map(({ key, text, ttl }) => command.set(key, text, 'PX', ttl)));
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/.test(error.message);
}
