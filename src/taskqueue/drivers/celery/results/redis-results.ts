import type { HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject, JsonValue } from '../../../../core/json.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { disconnected, faultText, isUp, redisError, RedisClients, type RedisOptions } from '../../../../redis/index.js';
import type { CeleryOptions } from '../celery.options.js';
import type { ResultBackend, ResultListener, StoredTask, SubmitNote } from './result-backend.js';
import { ResultListeners } from './result-listeners.js';
import { helperProgress, readMeta } from './result-meta.js';
import { SubmitNotes } from './submit-notes.js';

/** How often followed tasks are looked at beside the messages, in ms, and how many of them at most. */
const LOOK = 1_000;
const LOOK_AT = 500;
/** Longest life of a note beyond the time of the task, in ms: a task may wait for a worker for long. */
const NOTE_TTL = 7 * 86_400_000;

/**
 * Celery's results in Redis: a worker writes the state of a task under a key and publishes it on a channel of the same name.
 * One connection hears of all followed tasks, however many there are; they are looked at as well, since messages can be
 * missed (an outage, a worker that publishes none).
 */
export class RedisResults implements ResultBackend {
  readonly durable = true;
  readonly replyTo = '';
  readonly #clients: RedisClients;
  readonly #listeners = new ResultListeners();
  readonly #notes: SubmitNotes;
  readonly #prefix: string;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    redis: RedisOptions,
    private readonly options: Pick<CeleryOptions, 'appName' | 'keyPrefix' | 'resultExpires'>,
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {
    this.#clients = new RedisClients(redis, `${options.appName}:results`, logger, source);
    this.#notes = new SubmitNotes(this.#clients, logger);
    const { keyPrefix } = options;
    // As Celery does it.
    this.#prefix = keyPrefix === '' || /[:_.-]$/.test(keyPrefix) ? keyPrefix : `${keyPrefix}_`;
    const { patient } = this.#clients;
    patient.on('message', (channel: string, text: string) => this.#heard(channel, text));
    // ioredis subscribes again; what was published meanwhile is in the keys.
    patient.on('ready', () => this.#listeners.tellAll());
  }

  get followed(): number {
    return this.#listeners.size;
  }

  async open(): Promise<void> {
    await this.#clients.open();
  }

  note(submits: ReadonlyMap<string, SubmitNote>): Promise<void> {
    const notes = [...submits].map(([taskId, note]) => {
      const ttl = Math.max(0, note.due - note.submittedAt) + this.options.resultExpires + NOTE_TTL;
      return { key: this.#noteKey(taskId), text: JSON.stringify(note), ttl: Math.ceil(ttl) };
    });
    return this.#notes.write(notes);
  }

  async unnote(taskIds: readonly string[]): Promise<void> {
    if (!this.#clients.up) return;
    await this.#clients.command.del(taskIds.map((taskId) => this.#noteKey(taskId))).catch((error: unknown) => {
      this.logger.debug(`notes of submits cannot be removed: ${faultText(error)}`);
    });
  }

  async read(taskId: string): Promise<StoredTask> {
    const key = this.#key(taskId);
    const [[meta, note], [attempt, progress]] = await this.#run(async () => {
      const { command } = this.#clients;
      return Promise.all([
        command.mget(key, this.#noteKey(taskId)),
        command.hmget(`${key}.hub`, 'attempt', 'progress'),
      ]);
    });
    const count = Number(attempt ?? 0);
    return {
      meta: typeof meta === 'string' ? readMeta(meta, taskId) : undefined,
      note: noteOf(note),
      attempt: Number.isInteger(count) && count > 0 ? count : undefined,
      progress: (typeof progress === 'string' && helperProgress(parse(progress))) || undefined,
    };
  }

  async follow(taskId: string, listener: ResultListener): Promise<() => void> {
    if (this.#listeners.add(taskId, listener)) {
      this.#schedule();
      // While Redis is away it waits for the connection, and so must not hold the caller up.
      const subscribed = this.#clients.patient.subscribe(this.#key(taskId)).catch((error: unknown) => {
        this.logger.debug(`task ${taskId} cannot be followed: ${faultText(error)}`);
      });
      if (isUp(this.#clients.patient)) await subscribed;
    }
    return () => {
      if (!this.#listeners.remove(taskId, listener) || this.#closed) return;
      this.#clients.patient.unsubscribe(this.#key(taskId)).catch(() => undefined);
    };
  }

  async forget(taskIds: readonly string[]): Promise<void> {
    const keys = taskIds.flatMap((taskId) => ['', '.submit', '.hub'].map((part) => `${this.#key(taskId)}${part}`));
    await this.#run(() => this.#clients.command.del(keys));
  }

  async check(): Promise<JsonObject> {
    if (!this.#clients.up) throw disconnected(this.#clients.fault, this.source);
    if (!isUp(this.#clients.patient)) throw disconnected('the connection that hears of results', this.source);
    try {
      // Also on the connection that hears of results: one that is cut silently hears of nothing.
      await Promise.all([this.#clients.command.ping(), this.#clients.patient.ping()]);
    } catch (error) {
      throw redisError(error, this.source);
    }
    return { followed: this.followed };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#clients.close();
  }

  #noteKey(taskId: string): string {
    return `${this.#key(taskId)}.submit`;
  }

  #key(taskId: string): string {
    return `${this.#prefix}celery-task-meta-${taskId}`;
  }

  #heard(channel: string, text: string): void {
    const taskId = channel.slice(this.#key('').length);
    const meta = readMeta(text, taskId);
    if (meta !== undefined) this.#listeners.tell(taskId, meta);
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined || this.#listeners.size === 0) return;
    this.#timer = setTimeout(() => void this.#look(), LOOK);
  }

  async #look(): Promise<void> {
    try {
      if (this.#clients.up) {
        const ids = this.#listeners.next(LOOK_AT);
        const texts = ids.length === 0 ? [] : await this.#clients.command.mget(ids.map((id) => this.#key(id)));
        ids.forEach((id, index) => {
          const text = texts[index];
          const meta = typeof text === 'string' ? readMeta(text, id) : undefined;
          if (meta !== undefined) this.#listeners.tell(id, meta);
        });
      }
    } catch (error) {
      this.logger.debug(`followed tasks cannot be looked at: ${faultText(error)}`);
    }
    this.#timer = undefined;
    this.#schedule();
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#clients.ensureUp();
    try {
      return await work();
    } catch (error) {
      throw redisError(error, this.source);
    }
  }
}

function noteOf(text: string | null | undefined): SubmitNote | undefined {
  const value = typeof text === 'string' ? parse(text) : null;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { name, queue, submittedAt, due } = value;
  if (typeof name !== 'string' || typeof submittedAt !== 'number' || typeof due !== 'number') return undefined;
  return { name, submittedAt, due, ...(typeof queue === 'string' ? { queue } : {}) };
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}
