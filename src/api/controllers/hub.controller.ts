import { Controller, HttpStatus, Inject, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiTags } from '@nestjs/swagger';
import { ExperimentHub } from '../../hub/experiment-hub.js';
import { HubHealthIndicator } from '../../hub/hub-health.indicator.js';
import type { PluginStatus } from '../../core/plugin-entry.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { HubApiRedaction } from '../http/redaction.js';
import { healthAnswer, pluginsAnswer } from '../schemas/hub.schemas.js';

/** The hub itself. @internal */
@ApiTags('hub')
@Controller()
export class HubApiHubController {
  constructor(
    @Inject(ExperimentHub) private readonly hub: ExperimentHub,
    @Inject(HubHealthIndicator) private readonly health: HubHealthIndicator,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
  ) {}

  @Endpoint({
    method: 'GET',
    path: 'plugins',
    id: 'listPlugins',
    summary: 'The state of every plugin. Asks no backend.',
    answers: { 200: { description: 'The plugins.', schema: pluginsAnswer } },
  })
  plugins(@Input() _input: EndpointInput): { items: PluginStatus[] } {
    const view = ({ type, name, driver, required, state, since, lastError }: PluginStatus): PluginStatus => ({
      type,
      name,
      driver,
      required,
      state,
      since,
      ...(lastError === undefined
        ? {}
        : { lastError: { code: lastError.code, message: this.redaction.text(lastError.message), at: lastError.at } }),
    });
    return { items: this.hub.plugins().map(view) };
  }

  @Endpoint({
    method: 'GET',
    path: 'health',
    id: 'getHealth',
    summary: 'The health of every plugin, as the health endpoint of the hub tells it.',
    answers: {
      200: { description: 'It can serve.', schema: healthAnswer },
      503: { description: 'A required plugin is down, or the application drains.', schema: healthAnswer },
    },
  })
  async check(@Input() _input: EndpointInput, @Res({ passthrough: true }) response: object): Promise<object> {
    const details = await this.health.isHealthy();
    const statuses = Object.values(details).map(({ status }) => String(status));
    const status = statuses.includes('down') ? 'error' : statuses.includes('degraded') ? 'degraded' : 'ok';
    if (status === 'error') this.host.httpAdapter.status(response, HttpStatus.SERVICE_UNAVAILABLE);
    return { status, details };
  }
}
