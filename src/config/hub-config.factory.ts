import { registerAs } from '@nestjs/config';
import type { HubConfig, LoadHubConfigOptions } from './hub-config.types.js';
import { loadHubConfig } from './load-hub-config.js';

/**
 * Makes a `registerAs('hub', …)` factory for `@nestjs/config`. The file is read when `ConfigModule` runs the factory,
 * after it has read its `.env` files. The package exports `hubConfig`, made with the built-in drivers:
 *
 * ```ts
 * ConfigModule.forRoot({ load: [hubConfig] }),
 * ExperimentHubModule.forRootAsync({ inject: [hubConfig.KEY], useFactory: (config: HubConfig) => config }),
 * ```
 */
// The return type is that of registerAs, which names types that @nestjs/config does not export at its root.
export function hubConfigFactory<Experiment = unknown>(options: LoadHubConfigOptions) {
  return registerAs('hub', (): HubConfig<Experiment> => loadHubConfig<Experiment>(options));
}
