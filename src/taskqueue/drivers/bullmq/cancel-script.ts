/**
 * Cancels a job in one step, so that none is both cancelled and run. Returns nil for a missing job, else `finished`,
 * `requested` (a worker holds it: its id goes to the list of requests, by the server's clock) or `cancelled`. A job that
 * waits becomes a failed one with the reason; for a child of a flow that is left to the worker that takes it (BullMQ's
 * deferred failure), because its parent has to learn of it.
 *
 * KEYS job, lock, wait, paused, delayed, prioritized, waiting-children, failed, events, requests
 * ARGV id, reason, ms since 1970, ms that requests are kept, JSON of the stacks
 */
export const CANCEL_SCRIPT = `
local job = KEYS[1]
if redis.call('EXISTS', job) == 0 then return nil end
if redis.call('HEXISTS', job, 'finishedOn') == 1 then return 'finished' end
local id = ARGV[1]
if redis.call('EXISTS', KEYS[2]) == 1 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[10], now, id)
  redis.call('ZREMRANGEBYSCORE', KEYS[10], '-inf', now - ARGV[4])
  return 'requested'
end
if redis.call('HEXISTS', job, 'parentKey') == 1 then
  redis.call('HSET', job, 'defa', ARGV[2])
  return 'cancelled'
end
local found = redis.call('ZREM', KEYS[5], id) + redis.call('ZREM', KEYS[6], id) + redis.call('ZREM', KEYS[7], id)
if found == 0 then found = redis.call('LREM', KEYS[3], 1, id) + redis.call('LREM', KEYS[4], 1, id) end
if found == 0 then
  -- Active without a lock: its worker died, and the next one that takes it fails it.
  redis.call('HSET', job, 'defa', ARGV[2])
  return 'cancelled'
end
redis.call('HSET', job, 'failedReason', ARGV[2], 'finishedOn', ARGV[3], 'stacktrace', ARGV[5])
redis.call('ZADD', KEYS[8], ARGV[3], id)
redis.call('XADD', KEYS[9], '*', 'event', 'failed', 'jobId', id, 'failedReason', ARGV[2], 'prev', 'waiting')
return 'cancelled'
`;
