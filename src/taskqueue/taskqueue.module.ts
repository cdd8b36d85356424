import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { definePluginModule } from '../core/plugin-module.js';
import * as drivers from './drivers/index.js';
import { TaskQueueHealthIndicator } from './taskqueue.health.js';
import { TaskQueuePlugin } from './taskqueue.plugin.js';
import { TaskExplorer } from './task.explorer.js';

const { ConfigurableModuleClass } = definePluginModule({
  type: 'taskqueue',
  token: TaskQueuePlugin,
  drivers: Object.values(drivers),
  health: TaskQueueHealthIndicator,
  imports: [DiscoveryModule],
  providers: [TaskExplorer],
});

/**
 * Provides {@link TaskQueuePlugin}, implemented by the driver that the options pick. Usable with or without the hub:
 * `TaskQueueModule.forRoot({ type: 'local', config: { … } })` or `forRootAsync({ inject, useFactory, drivers, name })`.
 */
@Module({})
export class TaskQueueModule extends ConfigurableModuleClass {}
