import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import type { DecoratedMethod } from '../core/decorated-methods.js';
import { DecoratorExplorer } from '../core/decorator.explorer.js';
import { HubError } from '../core/errors.js';
import { PluginRegistry } from '../core/plugin-registry.js';
import type { Redactor } from '../core/redact.js';
import { TASK, type TaskMetadata } from './task.decorator.js';
import { TaskQueuePlugin } from './taskqueue.plugin.js';
import type { TaskHandler } from './taskqueue.types.js';

/**
 * Registers the `@Task` methods of all providers and controllers once the task queue is up. The application does not boot
 * with a task that can never run: `UNSUPPORTED` on a driver that runs nothing in this process, `INVALID_ARGUMENT` on a
 * class that is not a singleton, `ALREADY_EXISTS` for a name given twice.
 * @internal
 */
@Injectable()
export class TaskExplorer extends DecoratorExplorer<TaskMetadata> {
  constructor(
    @Inject(TaskQueuePlugin) private readonly tasks: TaskQueuePlugin,
    @Inject(PluginRegistry) registry: PluginRegistry,
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(ExternalContextCreator) creator: ExternalContextCreator,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    const source = { plugin: 'taskqueue', operation: '@Task' };
    super(tasks, registry, discovery, modules, TASK, source, { creator, type: 'taskqueue' });
  }

  protected override check(methods: readonly DecoratedMethod<TaskMetadata>[]): void {
    const source = { ...this.source, driver: this.tasks.driver };
    const labels = new Map<string, string>();
    for (const { metadata, label } of methods) {
      if (!this.tasks.supports.inProcess) {
        throw new HubError(
          'UNSUPPORTED',
          `${label} is a @Task ("${metadata.name}"), but this driver runs no task in this process: run it in a worker of ` +
            'the backend, or choose a driver with supports.inProcess.',
          source,
        );
      }
      const other = labels.get(metadata.name);
      if (other !== undefined) {
        const message = `${label} and ${other} are both @Task("${metadata.name}"): names have to be unique.`;
        throw new HubError('ALREADY_EXISTS', message, source);
      }
      labels.set(metadata.name, label);
    }
  }

  protected override async start(method: DecoratedMethod<TaskMetadata>, redactor: Redactor): Promise<void> {
    const { metadata, label, call } = method;
    const options = this.fromApp(metadata.options, label, redactor);
    await this.tasks.registerTask(metadata.name, call as TaskHandler, options);
  }
}
