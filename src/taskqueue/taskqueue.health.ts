import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { PluginHealthIndicator } from '../core/plugin-health.js';
import { PluginRegistry } from '../core/plugin-registry.js';

/** Terminus indicator of the taskqueue plugin, for an application's own health controller. */
@Injectable()
export class TaskQueueHealthIndicator extends PluginHealthIndicator {
  constructor(@Inject(HealthIndicatorService) service: HealthIndicatorService, registry: PluginRegistry) {
    super('taskqueue', service, registry);
  }
}
