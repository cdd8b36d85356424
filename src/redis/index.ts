export { disconnected, faultText, redisError } from './redis.errors.js';
export { isUp, RedisClients, type RedisClient } from './redis.clients.js';
export { redisKeys, type RedisOptions, type RedisTlsOptions } from './redis.options.js';
export { isIoredis } from './redis.given.js';
export { redisMemory, type RedisMemory } from './redis.memory.js';
