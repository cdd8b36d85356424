import { Controller, Get, Header, Inject, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { HubHealthIndicator } from './hub-health.indicator.js';

/**
 * A controller class for one path, since Nest fixes paths when the class is made:
 *
 * - `GET /health`: every plugin. 503 when a required one is down or the application drains; a failed optional one is
 *   `degraded` with 200.
 * - `GET /health/live`: 200 as long as the process answers; looks at no backend.
 * - `GET /health/ready`: the required plugins. 503 while the application drains.
 *
 * An application's global prefix and guards apply to it like to any controller.
 */
export function createHealthController(path = 'health'): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  class HubHealthController {
    constructor(
      @Inject(HealthCheckService) private readonly health: HealthCheckService,
      @Inject(HubHealthIndicator) private readonly hub: HubHealthIndicator,
    ) {}

    @Get()
    @Header('Cache-Control', 'no-store')
    check(): Promise<HealthCheckResult> {
      return this.health.check([() => this.hub.isHealthy()]);
    }

    @Get('live')
    @Header('Cache-Control', 'no-store')
    live(): { status: 'ok' } {
      return { status: 'ok' };
    }

    @Get('ready')
    @Header('Cache-Control', 'no-store')
    ready(): Promise<HealthCheckResult> {
      return this.health.check([() => this.hub.isReady()]);
    }
  }
  return HubHealthController;
}
