import type { DynamicModule } from '@nestjs/common';
import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import { peerError } from '../../../core/peer-error.js';
import { isIoredis } from '../../../redis/index.js';
import type { BullMQOptions } from './bullmq.options.js';
import { BullMQPlugin } from './bullmq.plugin.js';

/** Token of what the application gave to `BullModule.forRoot`; `null` when it gave nothing. */
export const SHARED_CONFIG = Symbol('BullModule.forRoot');

const PEER = '@nestjs/bullmq';
const SOURCE: HubErrorOptions = { plugin: 'taskqueue', driver: 'bullmq' };

class SharedConfigModule {}

/**
 * Finds the application's `BullModule.forRoot`. Rejects with `PEER_MISSING` when there is no `@nestjs/bullmq`.
 * @param load imports it
 */
export async function sharedConfigModule(
  sharedConfig: true | string,
  load: () => Promise<Pick<typeof import('@nestjs/bullmq'), 'getSharedConfigToken'>> = async () =>
    import('@nestjs/bullmq'),
): Promise<DynamicModule> {
  const { getSharedConfigToken } = await load().catch((error: unknown) => {
    throw peerError(error, [PEER], SOURCE) ?? error;
  });
  const token = getSharedConfigToken(sharedConfig === true ? undefined : sharedConfig);
  return {
    module: SharedConfigModule,
    providers: [
      {
        provide: SHARED_CONFIG,
        inject: [{ token, optional: true }],
        useFactory: (config: unknown) => config ?? null,
      },
    ],
    exports: [SHARED_CONFIG],
  };
}

/** The plugin on the application's connection. Throws `CONFIG_INVALID` when it has none that can be used. */
export function pluginOnShared({ sharedConfig, ...options }: BullMQOptions, config: unknown): BullMQPlugin {
  const forRoot = `BullModule.forRoot(${typeof sharedConfig === 'string' ? `'${sharedConfig}', …` : '…'})`;
  if (typeof config !== 'object' || config === null) {
    const missing = `sharedConfig is set, and the application imports no ${forRoot} of ${PEER}.`;
    throw new HubError('CONFIG_INVALID', `${missing} Import it, or give url or host in place of sharedConfig.`, SOURCE);
  }
  const { connection, prefix } = config as { connection?: unknown; prefix?: string };
  if (typeof connection !== 'object' || connection === null) {
    throw new HubError('CONFIG_INVALID', `sharedConfig is set, and ${forRoot} has no connection.`, SOURCE);
  }
  if (!isIoredis(connection) && 'duplicate' in connection) {
    const other = 'is a client of another library: the driver takes options, or a client of ioredis';
    throw new HubError('CONFIG_INVALID', `sharedConfig is set, and the connection of ${forRoot} ${other}.`, SOURCE);
  }
  const chosen = options.prefix ?? prefix;
  return new BullMQPlugin({ ...options, ...(chosen === undefined ? {} : { prefix: chosen }) }, connection);
}
