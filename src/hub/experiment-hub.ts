import { Inject, Injectable, Optional } from '@nestjs/common';
import { PluginRegistry } from '../core/plugin-registry.js';
import type { PluginPolicy, PluginStatus } from '../core/plugin-entry.js';
import { HubError } from '../core/errors.js';
import { HubPlugin, type PluginHealth } from '../core/plugin.js';
import type { PluginOfType, PluginTypeName } from '../core/plugin-types.js';
import { Experiments } from '../experiment/index.js';

/** How {@link ExperimentHub.registerPlugin} treats a plugin. */
export type RegisterPluginOptions = Partial<Pick<PluginPolicy, 'name' | 'required' | 'initTimeout' | 'redactor'>>;

/** The hub of an application: its plugins, their health, and its experiments. */
@Injectable()
export class ExperimentHub {
  readonly #experiments: Experiments | null;

  constructor(
    private readonly registry: PluginRegistry,
    @Optional() @Inject(Experiments) experiments: Experiments | null = null,
  ) {
    registry.claimHub();
    this.#experiments = experiments;
  }

  /**
   * Trains, predicts and retrains; `Experiments` can be injected as well. `NOT_FOUND` in an application that imports
   * `HubModule` alone.
   */
  get experiments(): Experiments {
    if (this.#experiments !== null) return this.#experiments;
    throw new HubError('NOT_FOUND', 'experiments need all three plugins: import ExperimentHubModule.');
  }

  /**
   * Adds a plugin at run time; the hub initializes it and takes care of its health and shutdown from then on. New plugin
   * types are added the same way (declare them in `PluginTypes`).
   *
   * `ALREADY_EXISTS` when its (type, name) is taken, `INVALID_ARGUMENT` when it is no plugin, `CLOSED` during shutdown,
   * and the plugin's own error when it is required and does not start.
   * @param options.name default: the driver's name
   * @param options.required default false: when it fails, health is degraded and the hub keeps trying
   * @param options.redactor `new Redactor(secrets)`: hides the plugin's secrets in logs, health and its errors
   */
  async registerPlugin(plugin: HubPlugin, options: RegisterPluginOptions = {}): Promise<void> {
    if (!HubPlugin.isPlugin(plugin)) {
      throw new HubError('INVALID_ARGUMENT', 'registerPlugin takes an instance of a class that extends HubPlugin.');
    }
    await this.registry.register(plugin, { required: false, ...options });
  }

  /**
   * The plugin of a type; with `name` a certain one of several. The default is the one without a name, hence the
   * configured one, or else the first registered. `NOT_FOUND`, or `PLUGIN_DISABLED` when the type is switched off.
   */
  getPlugin<Type extends PluginTypeName | (string & {})>(type: Type, name?: string): PluginOfType<Type> {
    return this.registry.get(type, name);
  }

  /** The state of every plugin: since when, and its last error. Makes no call to a backend. */
  plugins(): PluginStatus[] {
    return this.registry.list();
  }

  /**
   * Asks plugins for their health now, side by side. Never rejects because of an unhealthy plugin.
   * @param type only plugins of that type; `NOT_FOUND` or `PLUGIN_DISABLED` when there is none
   * @returns health by `type/name`
   */
  async checkPluginHealth(type?: PluginTypeName | (string & {})): Promise<Record<string, PluginHealth>> {
    if (type !== undefined) this.registry.get(type);
    const entries = this.registry.entries.filter(({ plugin }) => type === undefined || plugin.pluginType === type);
    return Object.fromEntries(
      await Promise.all(entries.map(async (entry) => [entry.key, await entry.checkHealth()] as const)),
    );
  }

  /** Whether the application can serve: not shutting down, and every required plugin up at its last check. */
  get ready(): boolean {
    return (
      !this.registry.draining && this.registry.entries.every(({ policy, state }) => !policy.required || state === 'up')
    );
  }
}
