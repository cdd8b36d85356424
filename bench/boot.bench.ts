import { Module } from '@nestjs/common';
import { ExperimentHubModule } from 'nestjs-experiment-hub';
import { elapsed, inFolder, paired, time, type Bench } from './bench.js';
import { open } from './open.js';

/** Boot of an application with the hub (local drivers on disk) against a bare one. */
export const boot: Bench = {
  name: 'boot',
  async run() {
    @Module({})
    class Bare {}
    const ms = await paired(
      () =>
        inFolder(async (dataDir) => {
          const local = { config: { dataDir } };
          const config = { plugins: { mlops: local, datastream: local, taskqueue: local } };
          let close = async (): Promise<void> => undefined;
          const took = await elapsed(async () => {
            const app = await open(ExperimentHubModule.forRoot({ config }));
            close = () => app.close();
          });
          await close();
          return took;
        }),
      async () => {
        let close = async (): Promise<void> => undefined;
        const took = await elapsed(async () => {
          const app = await open({ module: Bare });
          close = () => app.close();
        });
        await close();
        return took;
      },
      10,
    );
    return [
      time('boot with the hub', 'ms', ms.ours, ms.baseline),
      time('boot, added by the hub', 'ms', ms.ours - ms.baseline, null),
    ];
  },
};
