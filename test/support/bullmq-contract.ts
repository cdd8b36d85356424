import { CONTRACT_QUEUE, type TaskQueueHarness } from '../../src/taskqueue/contract/task-harness.js';
import type { TaskQueuePlugin } from '../../src/taskqueue/taskqueue.plugin.js';
import { BullMQRoom } from './bullmq-room.js';
import { neededService } from './needed-service.js';

const redis = neededService('redis');
const rooms = new WeakMap<TaskQueuePlugin, BullMQRoom>();

const open = async (room: BullMQRoom, slots = 2): Promise<TaskQueuePlugin> => {
  const plugin = room.make({ queues: { [CONTRACT_QUEUE]: {} }, concurrency: slots, workerThreads: slots });
  rooms.set(plugin, room);
  return plugin;
};

const roomOf = (plugin: TaskQueuePlugin): BullMQRoom => {
  const room = rooms.get(plugin);
  if (room === undefined) throw new Error('the plugin is of another target');
  return room;
};

/** The driver on the tests' Redis, each plugin under a prefix of its own. */
export const bullmqTarget = {
  /** Whether there is no Redis. */
  isMissing: redis.missing,
  /** Why the suite is skipped when it is. */
  note: redis.note,
  harness: {
    create: () => open(new BullMQRoom(redis.address)),
    serial: () => open(new BullMQRoom(redis.address), 1),
    reopen: (plugin) => open(roomOf(plugin)),
    cleanup: (plugin) => roomOf(plugin).close(),
  } satisfies TaskQueueHarness,
};
