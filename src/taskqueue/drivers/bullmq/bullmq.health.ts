import { HubError, type HubErrorOptions } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import { disconnected, redisError, redisMemory } from '../../../redis/index.js';
import type { BullMQSession } from './bullmq.session.js';

/**
 * Facts for the health check; rejects with the reason when the plugin is down: the connection of calls is lost, Redis does
 * not answer, or a worker of this process is not connected or has stopped asking for tasks. `degraded` while Redis is out
 * of memory: it takes no tasks then, while those that run end all the same.
 */
export async function taskQueueHealth(session: BullMQSession, source: HubErrorOptions): Promise<JsonObject> {
  const { clients, work, store } = session;
  if (!clients.up) throw disconnected(clients.fault, source);
  const queues: JsonObject = {};
  let full = false;
  try {
    // Not every login may ask for that; whether the server answers is another question.
    await clients.command.ping();
    full = await redisMemory(clients.command).then(
      (memory) => memory.full,
      () => false,
    );
    for (const queue of work.queues) {
      const counts = await store.queue(queue).getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'failed');
      const { waiting = 0, prioritized = 0, delayed = 0, active = 0, failed = 0 } = counts;
      queues[queue] = { waiting: waiting + prioritized, delayed, active, failed };
    }
  } catch (error) {
    throw redisError(error, source);
  }
  const { fault } = work;
  if (fault !== undefined) throw new HubError('UNAVAILABLE', `${fault}.`, source);
  const facts = { active: work.active, waitedFor: session.follower.size, queues };
  return full ? { ...facts, degraded: true, message: 'Redis is out of memory (maxmemory) and takes no tasks' } : facts;
}
