import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { PluginHealthIndicator } from '../core/plugin-health.js';
import { PluginRegistry } from '../core/plugin-registry.js';

/** Terminus indicator of the mlops plugin, for an application's own health controller. */
@Injectable()
export class MLOpsHealthIndicator extends PluginHealthIndicator {
  constructor(@Inject(HealthIndicatorService) service: HealthIndicatorService, registry: PluginRegistry) {
    super('mlops', service, registry);
  }
}
