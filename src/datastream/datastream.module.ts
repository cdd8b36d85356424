import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { definePluginModule } from '../core/plugin-module.js';
import * as drivers from './drivers/index.js';
import { DataStreamHealthIndicator } from './datastream.health.js';
import { DataStreamPlugin } from './datastream.plugin.js';
import { OnDataExplorer } from './on-data.explorer.js';

const { ConfigurableModuleClass } = definePluginModule({
  type: 'datastream',
  token: DataStreamPlugin,
  drivers: Object.values(drivers),
  health: DataStreamHealthIndicator,
  imports: [DiscoveryModule],
  providers: [OnDataExplorer],
});

/**
 * Provides {@link DataStreamPlugin}, implemented by the driver that the options pick. Usable with or without the hub:
 * `DataStreamModule.forRoot({ type: 'local', config: { … } })` or `forRootAsync({ inject, useFactory, drivers, name })`.
 */
@Module({})
export class DataStreamModule extends ConfigurableModuleClass {}
