import { sleep, throwIfAborted } from '../../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { disconnected, redisError, RedisClients, type RedisOptions } from '../../../../redis/index.js';
import type { CeleryOptions } from '../celery.options.js';
import type {
  CeleryBroker,
  ControlCall,
  ControlCommand,
  ControlReply,
  RoutedTask,
  TaskPublishOptions,
} from './celery-broker.js';
import { CELERYEV, ControlReplies, parsed, PIDBOX, REPLY_PIDBOX } from './control-replies.js';
import { openEnvelope, redisEnvelope } from './redis-envelope.js';
import { RedisReplies } from './redis-replies.js';

/** Kombu's separator, in names of lists and members of bindings. */
const SEP = '\u0006\u0016';
/** Most tasks of one command. */
const CHUNK = 500;
/** Wait before a submit is repeated that did not get through, in ms. */
const AGAIN_MS = 100;
/** How long answers are kept that nobody takes, in s. */
const REPLY_TTL_S = 60;

/** Celery over Redis: lists for tasks, channels for commands and events, as kombu has them. */
export class RedisBroker implements CeleryBroker {
  readonly transport = 'redis';
  readonly #clients: RedisClients;
  readonly #control = new ControlReplies();
  readonly #reader: RedisReplies;
  readonly #streams = new Set<() => Promise<void>>();
  #pending = 0;
  #closed = false;

  /** @param db number of the database: kombu has it in the names of channels */
  constructor(
    redis: RedisOptions,
    private readonly db: number,
    private readonly options: CeleryOptions,
    logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {
    this.#clients = new RedisClients(redis, `${options.appName}:broker`, logger, source);
    this.#reader = new RedisReplies(this.#clients.patient, this.#key(this.#control.queue), this.#control, logger);
  }

  async open(): Promise<void> {
    await this.#clients.open();
  }

  async publish(tasks: readonly RoutedTask[], { signal, operation }: TaskPublishOptions): Promise<void> {
    const source = { ...this.source, operation };
    const deadline = Date.now() + this.options.publishTimeout;
    this.#pending += tasks.length;
    try {
      const lists = await this.#again(deadline, signal, source, () => this.#lists(tasks, source));
      for (const [list, messages] of lists) {
        for (let start = 0; start < messages.length; start += CHUNK) {
          const chunk = messages.slice(start, start + CHUNK);
          await this.#again(deadline, signal, source, () => this.#clients.command.lpush(list, ...chunk));
        }
      }
    } finally {
      this.#pending -= tasks.length;
    }
  }

  async cast(command: ControlCommand): Promise<void> {
    await this.#command(this.#control.commandBody(command));
  }

  async call(command: ControlCommand, onReply: (reply: ControlReply) => void): Promise<ControlCall> {
    const { oid, queue } = this.#control;
    const { ticket, end } = this.#control.listen(onReply);
    try {
      this.#clients.ensureUp();
      // A worker drops its answer when there is no binding.
      await this.#clients.command.sadd(this.#key(`_kombu.binding.${REPLY_PIDBOX}`), `${oid}${SEP}${SEP}${queue}`);
      this.#reader.start();
      const workers = await this.#command(this.#control.commandBody(command, ticket));
      const forget = (): void => {
        end();
        // What comes later is kept for a while and not for ever.
        this.#clients.command.expire(this.#key(queue), REPLY_TTL_S).catch(() => undefined);
      };
      return { workers, end: forget };
    } catch (error) {
      end();
      throw redisError(error, this.source);
    }
  }

  async events(onEvent: (body: unknown) => void): Promise<() => Promise<void>> {
    const client = this.#clients.duplicate();
    const end = async (): Promise<void> => {
      this.#streams.delete(end);
      client.disconnect();
    };
    this.#streams.add(end);
    client.on('pmessage', (_pattern: string, _channel: string, text: string) => {
      const envelope = openEnvelope(text);
      if (envelope !== undefined) onEvent(parsed(envelope.body));
    });
    try {
      this.#clients.ensureUp();
      // Patterns have wildcards of their own in what a prefix may hold.
      const channel = this.#key(`/${this.db}.${CELERYEV}/`).replace(/[[\]*?\\]/g, '\\$&');
      await client.psubscribe(`${channel}*`);
    } catch (error) {
      await end();
      throw redisError(error, this.source);
    }
    return end;
  }

  async check(): Promise<JsonObject> {
    if (!this.#clients.up) throw disconnected(this.#clients.fault, this.source);
    try {
      await this.#clients.command.ping();
    } catch (error) {
      throw redisError(error, this.source);
    }
    return { unconfirmed: this.#pending };
  }

  async flush(ms: number): Promise<void> {
    for (const end = Date.now() + ms; this.#pending > 0; await sleep(20)) {
      if (Date.now() < end) continue;
      throw new HubError('UNAVAILABLE', `${this.#pending} tasks are not stored after ${ms} ms.`, this.source);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reader.close();
    for (const end of this.#streams) await end();
    if (this.#clients.up) {
      const { oid, queue } = this.#control;
      const { command } = this.#clients;
      await command
        .srem(this.#key(`_kombu.binding.${REPLY_PIDBOX}`), `${oid}${SEP}${SEP}${queue}`)
        .then(() => command.del(this.#key(queue)))
        .catch(() => undefined);
    }
    await this.#clients.close();
  }

  #key(name: string): string {
    return `${this.options.brokerKeyPrefix}${name}`;
  }

  /** Each list with the messages that go there, in order. */
  async #lists(tasks: readonly RoutedTask[], source: HubErrorOptions): Promise<Map<string, string[]>> {
    const lists = new Map<string, string[]>();
    for (const { message, route } of tasks) {
      const { exchange, routingKey } = route;
      const queues = exchange === '' ? [routingKey] : await this.#bound(exchange, routingKey, source);
      const priority = this.options.maxPriority === undefined ? 0 : 9 - message.priority;
      const text = redisEnvelope(message.body, {
        headers: message.headers,
        exchange,
        routingKey,
        correlationId: message.taskId,
        replyTo: message.replyTo,
        priority,
      });
      for (const queue of queues) {
        const list = this.#key(this.#listOf(queue, priority));
        const messages = lists.get(list) ?? [];
        messages.push(text);
        lists.set(list, messages);
      }
    }
    return lists;
  }

  /** The list of a queue for a priority: the largest step that is not above it. */
  #listOf(queue: string, priority: number): string {
    const step = Math.max(0, ...this.options.prioritySteps.filter((one) => one <= priority));
    return step === 0 ? queue : `${queue}${SEP}${step}`;
  }

  /** The queues that are bound to an exchange for a routing key; workers note them in a set. */
  async #bound(exchange: string, routingKey: string, source: HubErrorOptions): Promise<string[]> {
    const members = await this.#clients.command.smembers(this.#key(`_kombu.binding.${exchange}`));
    const queues = members.flatMap((member) => {
      const [key, pattern = '', queue = ''] = member.split(SEP);
      return key === routingKey || (pattern !== '' && topicMatches(key ?? '', routingKey)) ? [queue] : [];
    });
    if (queues.length > 0) return queues;
    const text = `no queue is bound to the exchange "${exchange}" for the routing key "${routingKey}": start a worker that binds one.`;
    throw new HubError('NOT_FOUND', text, source);
  }

  /** Resolves to how many workers heard it. */
  async #command(body: string): Promise<number> {
    this.#clients.ensureUp();
    const text = redisEnvelope(body, {
      headers: { clock: 1, expires: Date.now() / 1_000 + REPLY_TTL_S },
      exchange: PIDBOX,
      routingKey: '',
    });
    try {
      return await this.#clients.command.publish(this.#key(`/${this.db}.${PIDBOX}`), text);
    } catch (error) {
      throw redisError(error, this.source);
    }
  }

  /** Repeats what did not get through, until the deadline; what was stored twice has the same id. */
  async #again<T>(
    deadline: number,
    signal: AbortSignal | undefined,
    source: HubErrorOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      throwIfAborted(signal, source);
      if (this.#closed) throw new HubError('CLOSED', 'the plugin was shut down before the task was stored.', source);
      try {
        this.#clients.ensureUp();
        return await work();
      } catch (error) {
        const fault = redisError(error, source);
        if (!HubError.is(fault, 'UNAVAILABLE', 'TIMEOUT') || Date.now() + AGAIN_MS > deadline) throw fault;
        await sleep(AGAIN_MS, signal);
      }
    }
  }
}

/** Whether a routing key fits a topic's binding: `*` is one word, `#` any number of them. */
function topicMatches(binding: string, routingKey: string): boolean {
  const words = binding.split('.').map((word) => {
    if (word === '*') return '[^.]+';
    return word === '#' ? '.*' : word.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${words.join('\\.').replaceAll('\\..*', '(\\..*)?')}$`).test(routingKey);
}
