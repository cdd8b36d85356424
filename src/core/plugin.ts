import { withDeadline } from './deadline.js';
import { errorMessage, HubError, type HubErrorCode, type HubErrorOptions } from './errors.js';
import type { JsonObject } from './json.js';
import { ObservedCalls, putAround } from './observed-calls.js';
import { PLUGIN_METRICS, type PluginLabels } from './plugin.metrics.js';
import { Redactor } from './redact.js';
import { secondsSince, type Telemetry } from './telemetry.js';

/** Marks plugins across duplicate copies of the package. */
const BRAND = Symbol.for('nestjs-experiment-hub.HubPlugin');

/** Where a plugin is in its life. `new` becomes `open` by `initialize()`; `closed` may be opened again. */
export type PluginPhase = 'new' | 'opening' | 'open' | 'draining' | 'closed';

/** The answer of {@link HubPlugin.healthCheck}. */
export interface PluginHealth {
  /** Whether the plugin can do its work now. */
  healthy: boolean;
  /** JSON-safe facts without secrets; `message` says what is wrong when `healthy` is false. */
  details: JsonObject;
  /**
   * `true` when the plugin is not healthy and takes calls all the same (a queue without a worker): `/health` shows it as
   * down, and `/health/ready` as `degraded`. Default: as `healthy`.
   */
  ready?: boolean;
}

/**
 * What every plugin of every type has. A driver extends the abstract class of its plugin type and implements the
 * `on…` methods; the rules here (idempotence, order, deadlines) then hold for all drivers.
 *
 * Life: `initialize()` → work → `drain()` → `shutdown()`, called by the hub, never by Nest hooks of the driver.
 */
export abstract class HubPlugin<Supports extends object = object> {
  /** @internal */
  readonly [BRAND] = true;
  /** The plugin type, e.g. `mlops`: the key under `plugins` in the configuration. */
  abstract readonly pluginType: string;
  /** The driver's name, e.g. `local`: the value of `type` in the configuration. */
  abstract readonly driver: string;
  /** What this driver can do. A method whose capability is false rejects with `UNSUPPORTED`. */
  abstract readonly supports: Readonly<Supports>;

  #phase: PluginPhase = 'new';
  #opening: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #failure: string | undefined;
  #redactor = new Redactor();

  /** Whether `value` is a plugin (of this or another copy of the package), optionally of one type. */
  static isPlugin(value: unknown, pluginType?: string): value is HubPlugin {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
    return pluginType === undefined || (value as HubPlugin).pluginType === pluginType;
  }

  /** Where the plugin is in its life. */
  get phase(): PluginPhase {
    return this.#phase;
  }

  /**
   * Hides secrets in this plugin's health and in its errors made with {@link error}; the hub calls it with those of the
   * configuration.
   * @internal
   */
  hideSecrets(redactor: Redactor): void {
    this.#redactor = redactor;
  }

  /**
   * Tells `telemetry` of every call from now on. The hub calls it once, and only when there is telemetry.
   * @param labels of the metrics
   * @internal
   */
  observe(telemetry: Telemetry, labels: PluginLabels): void {
    putAround<HubPlugin>(this, {
      healthCheck: async (next, timeoutMs) => {
        const began = performance.now();
        const health = await next(timeoutMs);
        const outcome = health.healthy ? 'healthy' : 'unhealthy';
        telemetry.report(PLUGIN_METRICS.healthCheck, secondsSince(began), { ...labels, outcome });
        return health;
      },
    });
    this.onObserve(new ObservedCalls(telemetry, labels));
  }

  /**
   * Opens connections and stores. Concurrent and repeated calls share one opening; after a failure it can be called
   * again. Rejects with `UNAVAILABLE`, `UNAUTHORIZED`, `STORE_LOCKED` or `CONFIG_INVALID`.
   */
  async initialize(): Promise<void> {
    if (this.#closing !== undefined) await this.#closing;
    if (this.#phase === 'open' || this.#phase === 'draining') return;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /**
   * Takes no new work from the backend, waits for what is in flight and flushes buffers. Calls from the application
   * (reads, writes, submits) still work, because work in flight needs them. Idempotent; on a plugin that is not open it
   * does nothing.
   */
  async drain(): Promise<void> {
    if (this.#opening !== undefined) await this.#opening.catch(() => undefined);
    if (this.#phase === 'open') {
      this.#phase = 'draining';
      this.#draining = this.onDrain();
    }
    await this.#draining;
  }

  /** Closes everything that `initialize()` opened. Idempotent, and safe on a plugin that never opened. */
  async shutdown(): Promise<void> {
    if (this.#opening !== undefined) await this.#opening.catch(() => undefined);
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  /**
   * Asks the live connection whether the plugin can work. Never throws, ends within `timeoutMs`, leaves no trace on the
   * backend, and its details hold no secret.
   * @param timeoutMs deadline in ms, default 3000
   */
  async healthCheck(timeoutMs = 3_000): Promise<PluginHealth> {
    const base: JsonObject = { driver: this.driver, phase: this.#phase };
    if (this.#phase !== 'open' && this.#phase !== 'draining') {
      return { healthy: false, details: { ...base, message: this.#failure ?? 'not initialized' } };
    }
    const controller = new AbortController();
    try {
      const details = await withDeadline(this.onHealthCheck(controller.signal), timeoutMs, () =>
        this.error('TIMEOUT', 'healthCheck', `no answer within ${timeoutMs} ms.`),
      );
      return { healthy: true, details: this.#redactor.value({ ...base, ...details }) };
    } catch (error) {
      const details = { ...base, message: this.#redactor.text(errorMessage(error)) };
      const ready = HubError.is(error) && error.details['ready'] === true;
      return { healthy: false, details, ...(ready ? { ready } : {}) };
    } finally {
      controller.abort();
    }
  }

  /** Opens the backend. After a rejection it may be called again, so it has to leave nothing open. */
  protected abstract onInitialize(): Promise<void>;

  /** Stops intake, waits for work in flight, flushes. Default: nothing to do. */
  protected async onDrain(): Promise<void> {}

  /** Closes what {@link onInitialize} opened; work still in flight is abandoned. */
  protected abstract onShutdown(): Promise<void>;

  /**
   * Probes the live connection: resolves with facts when healthy, rejects with the reason when not. `degraded: true` among
   * the facts says that the plugin works, but not as it should: `/health` shows `degraded`, and HTTP stays 200. An error
   * with `details.ready: true` says that the plugin takes calls all the same: see {@link PluginHealth.ready}.
   */
  protected abstract onHealthCheck(signal: AbortSignal): Promise<JsonObject>;

  /**
   * Puts `calls` around the methods of the plugin type: `calls.putAround(this, ['train'])`. Default: nothing is told of them.
   */
  protected onObserve(_calls: ObservedCalls): void {}

  /** Throws `CLOSED` (or `UNAVAILABLE`, when opening has failed) unless the plugin is open. */
  protected ensureOpen(operation: string): void {
    if (this.#phase === 'open' || this.#phase === 'draining') return;
    if (this.#phase !== 'closed' && this.#failure !== undefined) {
      throw this.error('UNAVAILABLE', operation, `the backend is not available: ${this.#failure}`);
    }
    throw this.error(
      'CLOSED',
      operation,
      this.#phase === 'closed'
        ? 'the plugin has been shut down.'
        : 'the plugin is not initialized yet. Inside Nest that happens before onModuleInit of your providers; elsewhere await initialize() first.',
    );
  }

  /** What an error of `operation` says about where it comes from; for functions that throw on the plugin's behalf. */
  protected source(operation?: string): HubErrorOptions {
    const { pluginType: plugin, driver } = this;
    return operation === undefined ? { plugin, driver } : { plugin, driver, operation };
  }

  /**
   * A {@link HubError} that names this plugin, driver and `operation`, without the secrets of its configuration. What a
   * driver throws in another way out of its methods goes to the caller as it is.
   */
  protected error(
    code: HubErrorCode,
    operation: string,
    message: string,
    extras: { cause?: unknown; details?: Record<string, unknown> } = {},
  ): HubError {
    return new HubError(code, this.#redactor.text(message), {
      ...this.source(operation),
      ...(extras.cause === undefined ? {} : { cause: this.#redactor.error(extras.cause) }),
      ...(extras.details === undefined ? {} : { details: this.#redactor.value(extras.details) }),
    });
  }

  /** The `UNSUPPORTED` error for an operation whose capability is false. */
  protected unsupported(operation: string, reason: string): HubError {
    return this.error('UNSUPPORTED', operation, reason);
  }

  async #open(): Promise<void> {
    this.#phase = 'opening';
    try {
      await this.onInitialize();
      this.#failure = undefined;
      this.#draining = undefined;
      this.#phase = 'open';
    } catch (error) {
      this.#failure = this.#redactor.text(errorMessage(error));
      this.#phase = 'new';
      throw error;
    }
  }

  async #close(): Promise<void> {
    const wasOpen = this.#phase === 'open' || this.#phase === 'draining';
    // Set first: calls that arrive while the backend closes get CLOSED instead of a half-closed backend.
    this.#phase = 'closed';
    if (wasOpen) await this.onShutdown();
  }
}
