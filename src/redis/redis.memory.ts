import type { RedisClient } from './redis.clients.js';

/** What a server tells about its memory. */
export interface RedisMemory {
  /** `maxmemory-policy`, e.g. `noeviction`; `undefined` when the server does not tell. */
  policy: string | undefined;
  /** Whether it is at its `maxmemory` and refuses what would need more. */
  full: boolean;
}

/** Asks a server for `INFO memory` (https://redis.io/docs/latest/commands/info/). */
export async function redisMemory(client: RedisClient): Promise<RedisMemory> {
  const info = await client.info('memory');
  const field = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
  const limit = Number(field('maxmemory') ?? 0);
  // Buffers of replicas and of the append-only file do not count.
  const used = Number(field('used_memory') ?? 0) - Number(field('mem_not_counted_for_evict') ?? 0);
  const policy = field('maxmemory_policy');
  return { policy, full: limit > 0 && used > limit && (policy ?? 'noeviction') === 'noeviction' };
}
