import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import { TASK, type TaskMetadata } from './task.decorator.js';
import type { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { TaskHandler } from './taskqueue.types.js';

/** A `@Task` method that was found. */
interface FoundTask extends TaskMetadata {
  /** `Class.method`, for messages. */
  place: string;
  handler: TaskHandler;
}

/** A provider of the application, as Nest's discovery describes it. */
type Provider = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Finds the `@Task` methods of all providers and registers them once the task queue is up. The application does not boot
 * with a task that can never run: `UNSUPPORTED` on a driver that runs nothing in this process, `INVALID_ARGUMENT` on a
 * request-scoped provider, `ALREADY_EXISTS` for a name given twice.
 */
@Injectable()
export class TaskExplorer implements OnApplicationBootstrap {
  readonly #logger = new Logger('TaskExplorer');

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
    private readonly registry: PluginRegistry,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const tasks = this.#find();
    if (tasks.length === 0) return;
    const entry = this.registry.find('taskqueue');
    if (entry === undefined) {
      const names = tasks.map(({ name }) => name).join(', ');
      this.#logger.warn(`plugins.taskqueue is disabled: these @Task methods will not run: ${names}.`);
      return;
    }
    const plugin = entry.plugin as unknown as TaskQueuePlugin;
    const source = { plugin: 'taskqueue', driver: plugin.driver, operation: '@Task' };
    for (const { name, place } of tasks) {
      if (plugin.supports.inProcess) break;
      throw new HubError(
        'UNSUPPORTED',
        `${place} is a @Task ("${name}"), but this driver runs no task in this process: run it in a worker of the ` +
          'backend, or choose a driver with supports.inProcess.',
        source,
      );
    }
    this.#checkNames(tasks, source);
    await entry.whenUp(async () => {
      for (const { name, handler, options } of tasks) await plugin.registerTask(name, handler, options);
    });
  }

  #find(): FoundTask[] {
    // One instance can stand behind several tokens (useExisting).
    const seen = new Set<unknown>();
    return this.discovery.getProviders().flatMap((provider) => {
      const prototype = prototypeOf(provider);
      if (prototype === undefined || seen.has(provider.instance)) return [];
      if (provider.isDependencyTreeStatic()) seen.add(provider.instance);
      return this.scanner
        .getAllMethodNames(prototype)
        .flatMap((method) => this.#read(provider, prototype, method) ?? []);
    });
  }

  #read(provider: Provider, prototype: Record<string, unknown>, method: string): FoundTask | undefined {
    const callback = prototype[method];
    if (typeof callback !== 'function') return undefined;
    const metadata = this.reflector.get<TaskMetadata | undefined>(TASK, callback as TaskHandler);
    if (metadata === undefined) return undefined;
    const instance = provider.instance as object;
    const place = `${provider.metatype?.name ?? provider.name}.${method}`;
    if (!provider.isDependencyTreeStatic()) {
      throw new HubError(
        'INVALID_ARGUMENT',
        `${place} is a @Task ("${metadata.name}"), but its provider is request-scoped or transient, and there is no ` +
          'request when a task runs. Make the provider a singleton, or move the method to one.',
        { plugin: 'taskqueue', operation: '@Task' },
      );
    }
    return { ...metadata, place, handler: (task) => (callback as TaskHandler).call(instance, task) };
  }

  #checkNames(tasks: readonly FoundTask[], source: HubErrorOptions): void {
    const places = new Map<string, string>();
    for (const { name, place } of tasks) {
      const other = places.get(name);
      if (other !== undefined) {
        throw new HubError(
          'ALREADY_EXISTS',
          `${place} and ${other} are both @Task("${name}"): names have to be unique.`,
          source,
        );
      }
      places.set(name, place);
    }
  }
}

function prototypeOf(provider: Provider): Record<string, unknown> | undefined {
  const { instance, metatype } = provider as { instance: unknown; metatype: unknown };
  if (!provider.isDependencyTreeStatic()) {
    const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
    return typeof prototype === 'object' && prototype !== null ? (prototype as Record<string, unknown>) : undefined;
  }
  if (typeof instance !== 'object' || instance === null) return undefined;
  return (Object.getPrototypeOf(instance) as Record<string, unknown> | null) ?? undefined;
}
