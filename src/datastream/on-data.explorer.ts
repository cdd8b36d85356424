import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { errorMessage, HubError } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import type { Redactor } from '../core/redact.js';
import { DataStreamPlugin } from './datastream.plugin.js';
import type { DataContext, Message } from './datastream.types.js';
import { ON_DATA, type OnDataMetadata } from './on-data.decorator.js';

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method with `@OnData`, bound to its instance. */
interface OnDataMethod extends OnDataMetadata {
  /** `Class.method`. */
  label: string;
  call: (messages: unknown, context: DataContext) => unknown;
}

/**
 * Subscribes the `@OnData` methods of all providers and controllers: when the application has been initialized, or, with
 * an optional plugin that did not start, as soon as it is up. A fault fails the boot and closes the plugins again:
 * `NOT_FOUND` for a queue that does not exist, `INVALID_ARGUMENT` for a provider that is not a singleton.
 * @internal
 */
@Injectable()
export class OnDataExplorer implements OnApplicationBootstrap {
  readonly #logger = new Logger('OnData');

  constructor(
    @Inject(DataStreamPlugin) private readonly stream: DataStreamPlugin,
    @Inject(PluginRegistry) private readonly registry: PluginRegistry,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.#start(this.#methods());
    } catch (error) {
      // Nest runs no shutdown hook after a failed boot, and consumers and the store would stay open.
      await this.registry.beforeApplicationShutdown();
      await this.registry.onApplicationShutdown();
      throw error;
    }
  }

  async #start(methods: OnDataMethod[]): Promise<void> {
    if (methods.length === 0) return;
    const entry = this.registry.entries.find(({ plugin }) => plugin === this.stream);
    if (entry === undefined) {
      const labels = methods.map(({ label }) => label).join(', ');
      this.#logger.warn(`The datastream plugin is disabled, so these consumers do not start: ${labels}.`);
      return;
    }
    await entry.whenUp(async () => {
      for (const method of methods) await this.#subscribe(method, entry.policy.redactor);
    });
  }

  async #subscribe({ queue, options, label, call }: OnDataMethod, redactor: Redactor): Promise<void> {
    const handler = async (messages: Message | Message[], context: DataContext): Promise<void> => {
      try {
        await call(messages, context);
      } catch (error) {
        const [first] = Array.isArray(messages) ? messages : [messages];
        const what = Array.isArray(messages) ? `a batch of ${messages.length} from` : 'message';
        this.#logger.warn(
          `${label}: ${what} ${first?.messageId} failed, attempt ${first?.attempt}. ${redactor.text(errorMessage(error))}`,
        );
        throw error;
      }
    };
    try {
      const { createQueue, ...rest } = options;
      if (createQueue !== undefined) await this.stream.createQueue(queue, createQueue === true ? {} : createQueue);
      if (rest.batch === true) {
        const { batch: _batch, ...subscribe } = rest;
        await this.stream.subscribeBatch(queue, handler, { name: label, ...subscribe });
      } else {
        const { batch: _batch, ...subscribe } = rest;
        await this.stream.subscribe(queue, handler, { name: label, ...subscribe });
      }
    } catch (cause) {
      throw startError(redactor.error(cause), label, queue);
    }
  }

  #methods(): OnDataMethod[] {
    const found: OnDataMethod[] = [];
    const seen = new Set<object>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const instance: unknown = wrapper.instance;
      if (typeof instance !== 'object' || instance === null || seen.has(instance)) continue;
      seen.add(instance);
      const prototype: unknown = Object.getPrototypeOf(instance);
      if (typeof prototype !== 'object' || prototype === null) continue;
      for (const name of this.scanner.getAllMethodNames(prototype)) {
        const method: unknown = Reflect.get(prototype, name);
        if (typeof method !== 'function') continue;
        const metadata = this.reflector.get<OnDataMetadata | undefined>(ON_DATA, method as () => unknown);
        if (metadata === undefined) continue;
        const label = `${prototype.constructor.name}.${name}`;
        ensureSingleton(wrapper, label);
        found.push({ ...metadata, label, call: method.bind(instance) as OnDataMethod['call'] });
      }
    }
    return found;
  }
}

function ensureSingleton(wrapper: InstanceWrapper, label: string): void {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return;
  throw new HubError(
    'INVALID_ARGUMENT',
    `@OnData on ${label}: its class (or something that it injects) is request-scoped or transient, and a message has ` +
      'no request. Put the method into a provider of the default scope.',
    { plugin: 'datastream', operation: '@OnData', details: { method: label } },
  );
}

function startError(cause: unknown, label: string, queue: string): HubError {
  const source = { plugin: 'datastream', operation: '@OnData', cause, details: { method: label, queue } };
  if (HubError.is(cause, 'NOT_FOUND')) {
    return new HubError(
      'NOT_FOUND',
      `@OnData on ${label}: the queue "${queue}" does not exist. Create it before (createQueue in an onModuleInit, or ` +
        'the queues of the driver), or let the decorator do it: createQueue: true.',
      source,
    );
  }
  const code = HubError.is(cause) ? cause.code : 'INTERNAL';
  return new HubError(code, `@OnData on ${label}, queue "${queue}": ${errorMessage(cause)}`, source);
}
