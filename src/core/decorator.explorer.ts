import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { DiscoveryService, ModuleRef } from '@nestjs/core';
import { resolveAppValue, type AppValue } from './app-value.js';
import { decoratedMethods, type DecoratedMethod, type MethodDecoratorSource } from './decorated-methods.js';
import type { MethodContext } from './enhanced-method.js';
import { errorMessage, HubError } from './errors.js';
import type { PluginRegistry } from './plugin-registry.js';
import type { HubPlugin } from './plugin.js';
import type { Redactor } from './redact.js';

/**
 * Hands the methods of a decorator to the injected plugin: when the application has been initialized, or, with an
 * optional plugin that did not start, as soon as it is up. A fault fails the boot and closes all plugins again. With a
 * plugin that is disabled, or replaced by one that the hub does not know, it warns once, naming the methods.
 * @internal
 */
export abstract class DecoratorExplorer<Metadata> implements OnApplicationBootstrap {
  protected readonly logger: Logger;

  protected constructor(
    private readonly plugin: HubPlugin,
    private readonly registry: PluginRegistry,
    private readonly discovery: DiscoveryService,
    private readonly modules: ModuleRef,
    private readonly metadataKey: string,
    protected readonly source: MethodDecoratorSource,
    private readonly context?: MethodContext,
  ) {
    this.logger = new Logger(source.operation.slice(1));
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.#startAll(decoratedMethods<Metadata>(this.discovery, this.metadataKey, this.source, this.context));
    } catch (error) {
      await this.registry.abandonBoot();
      throw error;
    }
  }

  /** Throws when the methods cannot work with the plugin. Default: they can. */
  protected check(_methods: readonly DecoratedMethod<Metadata>[]): void {}

  /** Makes the plugin call one method. After a failure it is called again, so it has to be safe to repeat. */
  protected abstract start(method: DecoratedMethod<Metadata>, redactor: Redactor): Promise<void>;

  /** A value that a decorator was given, or `INVALID_ARGUMENT` when the application has none. */
  protected fromApp<T extends string | object>(value: AppValue<T>, label: string, redactor: Redactor): T {
    try {
      return resolveAppValue(value, (token) => this.modules.get(token, { strict: false }));
    } catch (error) {
      const { operation } = this.source;
      const text = `${operation} on ${label}: what it is given could not be found: ${redactor.text(errorMessage(error))}`;
      const options = { ...this.source, cause: redactor.error(error), details: { method: label } };
      throw new HubError('INVALID_ARGUMENT', text, options);
    }
  }

  async #startAll(methods: DecoratedMethod<Metadata>[]): Promise<void> {
    if (methods.length === 0) return;
    // By identity: a test may have put an object of its own under the token.
    const entry = this.registry.entries.find(({ plugin }) => plugin === this.plugin);
    if (entry === undefined) {
      this.logger.warn(this.#notStarted(methods));
      return;
    }
    this.check(methods);
    // One by one: a method that fails later does not start those before it twice.
    for (const method of methods) await entry.whenUp(() => this.start(method, entry.policy.redactor));
  }

  #notStarted(methods: readonly DecoratedMethod<Metadata>[]): string {
    const { plugin, operation } = this.source;
    const why =
      this.plugin.driver === 'disabled' ? 'is disabled' : 'was replaced by an object that the hub does not know';
    const labels = methods.map(({ label }) => label).join(', ');
    return `plugins.${plugin} ${why}, so these ${operation} methods do not start: ${labels}.`;
  }
}
