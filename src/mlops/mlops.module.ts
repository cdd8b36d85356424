import { Module } from '@nestjs/common';
import { definePluginModule } from '../core/plugin-module.js';
import * as drivers from './drivers/index.js';
import { MLOpsHealthIndicator } from './mlops.health.js';
import { MLOpsPlugin } from './mlops.plugin.js';

const { ConfigurableModuleClass } = definePluginModule({
  type: 'mlops',
  token: MLOpsPlugin,
  drivers: Object.values(drivers),
  health: MLOpsHealthIndicator,
});

/**
 * Provides {@link MLOpsPlugin}, implemented by the driver that the options pick. Usable with or without the hub:
 * `MLOpsModule.forRoot({ type: 'local', config: { … } })` or `forRootAsync({ inject, useFactory, drivers, name })`.
 */
@Module({})
export class MLOpsModule extends ConfigurableModuleClass {}
