import { Module, type DynamicModule } from '@nestjs/common';
import { ExperimentHubModule } from 'nestjs-experiment-hub';
import { MatrixService } from './matrix.service.js';

/** A small application with the local hub in it. */
@Module({})
export class MatrixModule {
  /** @param dataDir folder of the embedded stack */
  static in(dataDir: string): DynamicModule {
    const local = { type: 'local', config: { dataDir } };
    return {
      module: MatrixModule,
      imports: [
        ExperimentHubModule.forRoot({
          config: { global: { workDir: dataDir }, plugins: { mlops: local, datastream: local, taskqueue: local } },
        }),
      ],
      providers: [MatrixService],
    };
  }
}
