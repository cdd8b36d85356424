import { Module } from '@nestjs/common';
import { ExperimentHubModule } from 'nestjs-experiment-hub';
import { DigitsController } from './digits.controller.js';
import { DigitsService } from './digits.service.js';
import { DigitsWorld } from './digits.world.js';

/** A Nest application with the hub in it. Everything about backends and the experiment is in the configuration file. */
@Module({
  imports: [
    ExperimentHubModule.forRoot({ configPath: process.env['HUB_CONFIG_PATH'] ?? 'config/hub_config.compose.yaml' }),
  ],
  controllers: [DigitsController],
  providers: [DigitsService, DigitsWorld],
})
export class AppModule {}
