import { Module, type DynamicModule } from '@nestjs/common';
import { join } from 'node:path';
import { ExperimentHubModule } from 'nestjs-experiment-hub';
import { WeatherController } from './weather.controller.js';
import { WeatherService } from './weather.service.js';

/** A Nest application with the hub in it. */
@Module({})
export class AppModule {
  /** @param dataDir folder of the embedded stack */
  static in(dataDir: string): DynamicModule {
    const local = { type: 'local', config: { dataDir } };
    return {
      module: AppModule,
      imports: [
        // An application of your own writes ExperimentHubModule.forRoot() and config/hub_config.yaml instead.
        ExperimentHubModule.forRoot({
          config: {
            global: { workDir: join(dataDir, 'work') },
            plugins: { mlops: local, datastream: local, taskqueue: local },
          },
        }),
      ],
      controllers: [WeatherController],
      providers: [WeatherService],
    };
  }
}
