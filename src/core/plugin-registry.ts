import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { withDeadline } from './deadline.js';
import { errorMessage, HubError } from './errors.js';
import { HubLogger } from './hub-logger.js';
import { PluginEntry, type PluginPolicy, type PluginStatus } from './plugin-entry.js';
import type { HubPlugin } from './plugin.js';
import type { PluginOfType } from './plugin-types.js';
import { Redactor } from './redact.js';
import { Telemetry, type TelemetrySink } from './telemetry.js';

/** How long drain and close may take together, in ms, before what is left is abandoned. */
export const DEFAULT_SHUTDOWN_TIMEOUT = 25_000;

/**
 * All plugins of one application and the only caller of their lives.
 *
 * Boot: every plugin is initialized side by side in `onModuleInit` of this global provider, hence before
 * `onModuleInit` of the application's own. Shutdown, with one deadline: `onModuleDestroy` stops intake and turns
 * readiness off, `beforeApplicationShutdown` waits for work in flight, `onApplicationShutdown` closes in reverse order.
 */
@Injectable()
export class PluginRegistry implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #entries: PluginEntry[] = [];
  readonly #disabled = new Set<string>();
  readonly #createdAt = new Date();
  #started = false;
  #claimed = false;
  #deadline: number | undefined;

  /** Writes the hub's log lines. */
  readonly logger = new HubLogger();

  /** What the application's plugins and experiments tell of their work. */
  readonly telemetry = new Telemetry();

  /** Deadline of the whole shutdown in ms; set it before the application closes. */
  shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT;

  /** Whether the application is shutting down: readiness is off and consumers take nothing new. */
  get draining(): boolean {
    return this.#deadline !== undefined;
  }

  /** When the whole shutdown has to have ended, ms since 1970; `undefined` until it begins. */
  get shutdownDeadline(): number | undefined {
    return this.#deadline;
  }

  /** All registered plugins in the order of registration. */
  get entries(): readonly PluginEntry[] {
    return this.#entries;
  }

  /**
   * Sends what the plugins do, those that are registered later included, to `sink`. A second one is `ALREADY_EXISTS`.
   */
  observe(sink: TelemetrySink): void {
    this.telemetry.attach(sink);
    for (const entry of this.#entries) entry.observe(this.telemetry);
  }

  /** Called once by the hub of the application; a second hub is `ALREADY_EXISTS`. */
  claimHub(): void {
    if (this.#claimed) {
      throw new HubError(
        'ALREADY_EXISTS',
        'this application has a hub already: import ExperimentHubModule (or HubModule) once, in the root module.',
      );
    }
    this.#claimed = true;
  }

  /**
   * Adds a plugin whose start is up to the boot of the application.
   * Throws `ALREADY_EXISTS` when (type, name) is taken.
   */
  add(plugin: HubPlugin, policy: Partial<PluginPolicy> = {}): PluginEntry {
    const name = policy.name ?? plugin.driver;
    if (this.find(plugin.pluginType, name) !== undefined) {
      throw new HubError(
        'ALREADY_EXISTS',
        `a plugin is already registered as ${plugin.pluginType}/${name}. Is a hub or plugin module imported twice? ` +
          'Import it once, in the root module, or give the second one another name.',
        { plugin: plugin.pluginType, driver: plugin.driver },
      );
    }
    const entry = new PluginEntry(
      plugin,
      {
        name,
        named: policy.named ?? policy.name !== undefined,
        required: policy.required ?? true,
        initTimeout: policy.initTimeout ?? 15_000,
        redactor: policy.redactor ?? new Redactor(),
      },
      this.logger,
    );
    // A plugin made with an older copy of the package may not have it.
    (plugin as Partial<HubPlugin>).hideSecrets?.call(plugin, entry.policy.redactor);
    this.logger.hide(entry.policy.redactor);
    this.#entries.push(entry);
    if (this.telemetry.active) entry.observe(this.telemetry);
    return entry;
  }

  /**
   * Adds a plugin and, in an application that runs already, initializes it. A required plugin that does not start is
   * not registered, is closed should it open later, and its error is thrown.
   */
  async register(plugin: HubPlugin, policy: Partial<PluginPolicy> = {}): Promise<PluginEntry> {
    if (this.draining) throw new HubError('CLOSED', 'the application is shutting down; no plugin can be registered.');
    const entry = this.add(plugin, policy);
    if (!this.#started) return entry;
    try {
      await entry.start();
    } catch (error) {
      this.#entries.splice(this.#entries.indexOf(entry), 1);
      // After initTimeout it may still be opening; nobody else knows it any more. Not awaited: it may open for ever.
      void entry.stop();
      throw error;
    }
    return entry;
  }

  /** Notes that a plugin type is switched off. */
  addDisabled(pluginType: string): void {
    this.#disabled.add(pluginType);
  }

  /**
   * The entry of (type, name). Without a name: the first of the type that the application gave no name, else the first of
   * the type.
   */
  find(pluginType: string, name?: string): PluginEntry | undefined {
    const entries = this.#entries.filter(({ plugin }) => plugin.pluginType === pluginType);
    if (name !== undefined) return entries.find(({ policy }) => policy.name === name);
    return entries.find(({ policy }) => !policy.named) ?? entries[0];
  }

  /** The plugin of (type, name); `NOT_FOUND` or `PLUGIN_DISABLED` when there is none. */
  get<Type extends string>(pluginType: Type, name?: string): PluginOfType<Type> {
    const entry = this.find(pluginType, name);
    if (entry !== undefined) return entry.plugin as unknown as PluginOfType<Type>;
    if (this.#disabled.has(pluginType)) {
      throw new HubError('PLUGIN_DISABLED', `set plugins.${pluginType}.enabled to true in the configuration.`, {
        plugin: pluginType,
      });
    }
    const known = this.#entries.map(({ key }) => key).join(', ') || 'none';
    const wanted = name === undefined ? pluginType : `${pluginType}/${name}`;
    throw new HubError('NOT_FOUND', `no plugin is registered as ${wanted}. Registered: ${known}.`);
  }

  /** The state of every plugin, the disabled ones included. */
  list(): PluginStatus[] {
    const disabled = [...this.#disabled].map((type): PluginStatus => ({
      type,
      name: 'disabled',
      driver: 'disabled',
      required: false,
      state: 'disabled',
      since: this.#createdAt.toISOString(),
    }));
    return [...this.#entries.map((entry) => entry.status()), ...disabled];
  }

  /** Starts all plugins side by side. When a required one fails, closes what was opened and throws. */
  async onModuleInit(): Promise<void> {
    this.#started = true;
    const began = Date.now();
    const results = await Promise.allSettled(this.#entries.map((entry) => entry.start()));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length === 0) {
      this.#reportStart(Date.now() - began);
      return;
    }
    await this.#stopAll(Date.now() + this.shutdownTimeout);
    for (const failure of failures.slice(1)) this.logger.error(errorMessage(failure));
    throw failures[0];
  }

  /**
   * Closes every plugin within the shutdown deadline, for a boot that fails after plugins were opened: Nest runs no
   * shutdown hook then, and consumers and stores would stay open. Never rejects.
   */
  async abandonBoot(): Promise<void> {
    await this.beforeApplicationShutdown();
    await this.onApplicationShutdown();
  }

  /** Readiness goes off and every plugin stops intake; waiting is left to the next hook, while HTTP still answers. */
  onModuleDestroy(): void {
    this.#deadline ??= Date.now() + this.shutdownTimeout;
    for (const entry of this.#entries) void entry.drain();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const deadline = (this.#deadline ??= Date.now() + this.shutdownTimeout);
    await Promise.all(
      this.#entries.map((entry) => this.#within(deadline, entry, 'work in flight', () => entry.drain())),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#stopAll((this.#deadline ??= Date.now() + this.shutdownTimeout));
  }

  #reportStart(ms: number): void {
    const states = this.list().map(({ type, name, state }) =>
      state === 'disabled' ? `${type} disabled` : `${type}/${name} ${state}`,
    );
    if (states.length > 0) this.logger.log(`${states.join(', ')} (${ms} ms)`);
  }

  async #stopAll(deadline: number): Promise<void> {
    for (const entry of [...this.#entries].reverse()) {
      await this.#within(deadline, entry, 'shutdown', () => entry.stop());
    }
  }

  async #within(deadline: number, entry: PluginEntry, what: string, work: () => Promise<void>): Promise<void> {
    try {
      // Even past the deadline each plugin gets a moment to close: an unclosed store or socket is worse than 500 ms.
      await withDeadline(work(), Math.max(500, deadline - Date.now()));
    } catch {
      this.logger.error(`${entry.key}: ${what} did not end within shutdownTimeout and was abandoned.`);
    }
  }
}
