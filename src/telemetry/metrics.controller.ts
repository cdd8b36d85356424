import { Controller, Get, Header, Inject, StreamableFile, UseGuards, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { HubTelemetry } from './hub-telemetry.js';
import type { HubMetricsOptions } from './telemetry.options.js';

/** A controller class for one path, since Nest fixes paths when the class is made. */
export function createMetricsController({ path = 'metrics', guards = [] }: HubMetricsOptions): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class HubMetricsController {
    constructor(@Inject(HubTelemetry) private readonly telemetry: HubTelemetry) {}

    /** A file, since its media type is the registry's and known only now; so it is the same on Express and Fastify. */
    @Get()
    @Header('Cache-Control', 'no-store')
    async metrics(): Promise<StreamableFile> {
      const text = Buffer.from(await this.telemetry.metrics());
      return new StreamableFile(text, { type: this.telemetry.registry.contentType, length: text.length });
    }
  }
  return HubMetricsController;
}
