import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import type { DecoratedMethod } from '../core/decorated-methods.js';
import { DecoratorExplorer } from '../core/decorator.explorer.js';
import { errorMessage, HubError } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import type { Redactor } from '../core/redact.js';
import { DataStreamPlugin } from './datastream.plugin.js';
import type { DataContext, Message } from './datastream.types.js';
import { ON_DATA, type OnDataMetadata } from './on-data.decorator.js';

/**
 * Subscribes the `@OnData` methods of all providers and controllers: when the application has been initialized, or, with
 * an optional plugin that did not start, as soon as it is up. A fault fails the boot and closes the plugins again:
 * `NOT_FOUND` for a queue that does not exist, `INVALID_ARGUMENT` for a class that is not a singleton.
 * @internal
 */
@Injectable()
export class OnDataExplorer extends DecoratorExplorer<OnDataMetadata> {
  constructor(
    @Inject(DataStreamPlugin) private readonly stream: DataStreamPlugin,
    @Inject(PluginRegistry) registry: PluginRegistry,
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(ExternalContextCreator) creator: ExternalContextCreator,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    const source = { plugin: 'datastream', operation: '@OnData' };
    super(stream, registry, discovery, modules, ON_DATA, source, { creator, type: 'datastream' });
  }

  protected override async start(method: DecoratedMethod<OnDataMetadata>, redactor: Redactor): Promise<void> {
    const { metadata, label, call } = method;
    const queue = this.fromApp(metadata.queue, label, redactor);
    const options = this.fromApp(metadata.options, label, redactor);
    const handler = async (messages: Message | Message[], context: DataContext): Promise<void> => {
      try {
        await call(messages, context);
      } catch (error) {
        const [first] = Array.isArray(messages) ? messages : [messages];
        const what = Array.isArray(messages) ? `a batch of ${messages.length} from` : 'message';
        this.logger.warn(
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
