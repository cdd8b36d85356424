import { sleep, withDeadline } from './deadline.js';
import { errorMessage, HubError } from './errors.js';
import type { HubLogger } from './hub-logger.js';
import type { HubPlugin, PluginHealth } from './plugin.js';
import type { PluginLabels } from './plugin.metrics.js';
import type { Redactor } from './redact.js';
import { retryDelay } from './retry.js';
import type { Telemetry } from './telemetry.js';

/** What the hub believes of a plugin. */
export type PluginState = 'waiting' | 'starting' | 'up' | 'down' | 'draining' | 'stopped' | 'disabled';

/** One row of the hub's plugin list; JSON-safe and free of secrets. */
export interface PluginStatus {
  /** Plugin type, e.g. `mlops`. */
  type: string;
  /** Name under which it is registered; the driver's name unless the application chose another. */
  name: string;
  /** Driver name. */
  driver: string;
  /** Whether the application needs it to be ready. */
  required: boolean;
  state: PluginState;
  /** Since when it is in that state, ISO 8601. */
  since: string;
  /** The last failure, if there was one, also after recovery. */
  lastError?: { code: string; message: string; at: string };
}

/** How a registered plugin is treated. */
export interface PluginPolicy {
  /** Name within its type. Default: the driver's name. */
  name: string;
  /** Whether the application chose the name: a further plugin of its type, not the one that the type alone means. */
  named: boolean;
  /** See `PluginOptions.required`. */
  required: boolean;
  /** Deadline of `initialize()`, in ms. */
  initTimeout: number;
  /** Hides the plugin's secrets in logs and health answers. */
  redactor: Redactor;
}

/** Backoff of an optional plugin that did not start. */
const RECONNECT = { delay: 1_000, factor: 2, maxDelay: 30_000, jitter: 0.2 };

/** One registered plugin: its policy, its state, and the calls of its life with their deadlines. */
export class PluginEntry {
  #state: PluginState = 'waiting';
  #since = new Date();
  #lastError: PluginStatus['lastError'];
  readonly #stopped = new AbortController();
  readonly #onUp: (() => void | Promise<void>)[] = [];
  #draining: Promise<void> | undefined;
  #waking: Promise<void> | undefined;
  #reconnecting = false;
  #ready = false;

  constructor(
    readonly plugin: HubPlugin,
    readonly policy: PluginPolicy,
    private readonly logger: HubLogger,
  ) {}

  /** `type/name`, for logs and health keys. */
  get key(): string {
    return `${this.plugin.pluginType}/${this.policy.name}`;
  }

  get state(): PluginState {
    return this.#state;
  }

  /** Whether the plugin took calls at the last look at its health. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Which plugin it is, as labels of metrics. */
  get labels(): PluginLabels {
    return { type: this.plugin.pluginType, name: this.policy.name, driver: this.plugin.driver };
  }

  /** Has the plugin tell of its work. */
  observe(telemetry: Telemetry): void {
    // A plugin made with an older copy of the package may not have it.
    (this.plugin as Partial<HubPlugin>).observe?.call(this.plugin, telemetry, this.labels);
  }

  /** The row for the hub's plugin list. */
  status(): PluginStatus {
    return {
      type: this.plugin.pluginType,
      name: this.policy.name,
      driver: this.plugin.driver,
      required: this.policy.required,
      state: this.#state,
      since: this.#since.toISOString(),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** Initializes the plugin. A required one rejects on failure; an optional one goes on trying in the background. */
  async start(): Promise<void> {
    try {
      await this.#initialize();
    } catch (error) {
      if (this.policy.required) throw error;
      this.logger.warn(`${this.key} did not start and is optional; trying again. ${errorMessage(error)}`);
      void this.#reconnect();
    }
  }

  /**
   * Runs `callback` once the plugin is up: now, passing on what it throws, or as soon as the plugin starts or is healthy
   * again. A callback that waited and failed is tried again with the plugin, so it has to be safe to repeat.
   */
  async whenUp(callback: () => void | Promise<void>): Promise<void> {
    if (this.#state === 'up') await callback();
    else this.#onUp.push(callback);
  }

  /** Asks the plugin for its health, without secrets, and keeps the state in step with the answer. */
  async checkHealth(timeoutMs?: number): Promise<PluginHealth> {
    const health = this.policy.redactor.value(await this.plugin.healthCheck(timeoutMs));
    this.#ready = health.healthy || health.ready === true;
    // A plugin that is being reconnected is up when that is done, its consumers included.
    if (health.healthy && this.#state === 'down' && !this.#reconnecting) {
      this.#enter('up');
      this.logger.log(`${this.key} is healthy again.`);
      // Not awaited: a probe has a deadline, and consumers may take longer.
      void this.#wake().catch(() => this.#reconnect());
    }
    // While what waited for the plugin begins, consumers are not there yet; that is no fault of it.
    if (!health.healthy && this.#state === 'up' && this.#waking === undefined && !this.#reconnecting) {
      const { message } = this.#fail(new HubError('UNAVAILABLE', String(health.details['message'] ?? 'unhealthy')));
      this.logger.error(`${this.key} is down: ${message}`);
    }
    return health;
  }

  /** Stops intake at once; resolves when work in flight has ended. Never rejects: what fails is logged. */
  drain(): Promise<void> {
    this.#stopped.abort();
    this.#draining ??= this.#quietly('drain', () => {
      if (this.#state === 'up' || this.#state === 'down') this.#enter('draining');
      return this.plugin.drain();
    });
    return this.#draining;
  }

  /** Closes the plugin. Never rejects: what fails is logged. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#quietly('shutdown', () => this.plugin.shutdown());
    this.#enter('stopped');
  }

  async #initialize(): Promise<void> {
    this.#enter('starting');
    try {
      await withDeadline(
        this.plugin.initialize(),
        this.policy.initTimeout,
        () =>
          new HubError('TIMEOUT', `did not start within ${this.policy.initTimeout} ms (initTimeout).`, {
            plugin: this.plugin.pluginType,
            driver: this.plugin.driver,
            operation: 'initialize',
          }),
      );
    } catch (cause) {
      throw this.#fail(cause);
    }
    if (this.#stopped.signal.aborted) return;
    this.#enter('up');
    await this.#wake();
  }

  /** Runs what waits for the plugin, once at a time. What fails waits again; the first such error is thrown. */
  #wake(): Promise<void> {
    this.#waking ??= this.#runWaiting().finally(() => {
      this.#waking = undefined;
    });
    return this.#waking;
  }

  async #runWaiting(): Promise<void> {
    const failures: Error[] = [];
    for (const callback of [...this.#onUp]) {
      if (this.#stopped.signal.aborted) return;
      try {
        await callback();
        this.#onUp.splice(this.#onUp.indexOf(callback), 1);
      } catch (error) {
        const failure = this.#fail(error);
        failures.push(failure);
        this.logger.error(`${this.key}: a consumer did not start; trying again. ${errorMessage(failure)}`);
      }
    }
    if (failures[0] !== undefined) throw failures[0];
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#stopped;
    if (this.#reconnecting) return;
    this.#reconnecting = true;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await sleep(retryDelay(RECONNECT, attempt), signal);
        await this.#initialize();
        this.logger.log(`${this.key} is up after ${attempt} more attempt(s).`);
        break;
      } catch (error) {
        if (!signal.aborted) this.logger.debug(`${this.key} still does not start. ${errorMessage(error)}`);
      }
    }
    this.#reconnecting = false;
  }

  #fail(cause: unknown): Error {
    const error = this.policy.redactor.error(cause);
    const failure = error instanceof Error ? error : new Error(errorMessage(error));
    const code = HubError.is(failure) ? failure.code : 'INTERNAL';
    this.#lastError = { code, message: errorMessage(failure), at: new Date().toISOString() };
    if (!this.#stopped.signal.aborted) this.#enter('down');
    return failure;
  }

  #enter(state: PluginState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#since = new Date();
  }

  async #quietly(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(error);
      this.logger.error(`${this.key}: ${what} failed. ${this.policy.redactor.text(errorMessage(error))}`);
    }
  }
}
