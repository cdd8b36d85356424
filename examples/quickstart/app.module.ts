import { Module, type DynamicModule } from '@nestjs/common';
import { join } from 'node:path';
import { ExperimentHubModule } from 'nestjs-experiment-hub';
import { ExperimentHubApiModule } from 'nestjs-experiment-hub/api';
import { WeatherController } from './weather.controller.js';
import { WeatherService } from './weather.service.js';

/** A Nest application with the hub in it. */
@Module({})
export class AppModule {
  /** @param dataDir folder of the embedded stack; not used with a file that HUB_CONFIG_PATH names */
  static in(dataDir: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        process.env['HUB_CONFIG_PATH'] === undefined ? allLocal(dataDir) : ExperimentHubModule.forRoot(),
        ...httpApi(process.env['HUB_API_TOKEN']),
      ],
      controllers: [WeatherController],
      providers: [WeatherService],
    };
  }
}

// An application of your own writes ExperimentHubModule.forRoot() and config/hub_config.yaml instead.
function allLocal(dataDir: string): DynamicModule {
  const local = { type: 'local', config: { dataDir } };
  return ExperimentHubModule.forRoot({
    config: {
      global: { workDir: join(dataDir, 'work') },
      plugins: { mlops: local, datastream: local, taskqueue: local },
    },
  });
}

/** The hub over HTTP at /api, for those who know the token; without a token there is none. */
function httpApi(token: string | undefined): DynamicModule[] {
  return token === undefined ? [] : [ExperimentHubApiModule.forRoot({ auth: { bearerTokens: [token] } })];
}
