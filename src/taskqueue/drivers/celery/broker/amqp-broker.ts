import { randomUUID } from 'node:crypto';
import type { Options } from 'amqplib';
import { AmqpLink, AmqpPublisher, AmqpRpc, type AmqpMessage, type AmqpOptions } from '../../../../amqp/index.js';
import { sleep, withDeadline } from '../../../../core/deadline.js';
import { HubError, type HubErrorOptions } from '../../../../core/errors.js';
import type { JsonObject } from '../../../../core/json.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import type { CeleryOptions } from '../celery.options.js';
import type { TaskMessage } from '../message/task-message.js';
import { AmqpInbox, type InboxSpec } from './amqp-inbox.js';
import { AmqpQueues } from './amqp-queues.js';
import { AmqpTaskProperties } from './amqp-task-properties.js';
import type {
  CeleryBroker,
  ControlCall,
  ControlCommand,
  ControlReply,
  RoutedTask,
  TaskPublishOptions,
} from './celery-broker.js';
import type { TaskRoute } from './task-route.js';
import { CELERYEV, ControlReplies, parsed, PIDBOX, REPLY_PIDBOX } from './control-replies.js';

/** How long answers wait in the queue, and how long it lives without a consumer, in ms; as Python has them. */
const REPLY_QUEUE = { messageTtl: 300_000, expires: 10_000 };
/** The same for events. */
const EVENT_QUEUE = { messageTtl: 5_000, expires: 60_000 };

/** Wait before a queue is looked for again after a lost connection, in ms. */
const AGAIN_MS = 100;

/** Celery over RabbitMQ, on two connections: an alarm of the broker freezes the one that publishes. */
export class AmqpBroker implements CeleryBroker {
  readonly transport = 'amqp';
  readonly #publish: AmqpLink;
  readonly #consume: AmqpLink;
  readonly #publisher: AmqpPublisher;
  readonly #rpc: AmqpRpc;
  readonly #queues: AmqpQueues;
  readonly #replies = new ControlReplies();
  readonly #replyInbox: AmqpInbox;
  readonly #inboxes = new Set<AmqpInbox>();
  #pidbox: Promise<unknown> | undefined;

  constructor(
    amqp: AmqpOptions,
    private readonly options: CeleryOptions,
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
  ) {
    this.#publish = new AmqpLink(amqp, 'publish', logger, source);
    this.#consume = new AmqpLink(amqp, 'consume', logger, source);
    this.#publisher = new AmqpPublisher(this.#publish, amqp, source);
    this.#rpc = new AmqpRpc(this.#consume, amqp.connectTimeout, source);
    this.#queues = new AmqpQueues(this.#consume, this.#rpc, options, source);
    const { queue, oid } = this.#replies;
    this.#replyInbox = this.inbox(
      {
        queue,
        options: { durable: false, exclusive: true, autoDelete: true, ...REPLY_QUEUE },
        bindings: [{ exchange: REPLY_PIDBOX, type: 'direct', durable: false, routingKey: oid }],
      },
      (content, { headers }) => this.#replies.deliver(headers?.['ticket'], content.toString()),
    );
    // Broker restarts take exchanges that are not durable.
    this.#consume.listen({ down: () => (this.#pidbox = undefined) });
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.#publish.open(), this.#consume.open()]);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** A queue of this plugin's own on the connection that consumes. */
  inbox(
    spec: InboxSpec,
    onMessage: (content: Buffer, properties: { headers?: Record<string, unknown>; correlationId?: unknown }) => void,
  ): AmqpInbox {
    const inbox = new AmqpInbox(
      this.#consume,
      spec,
      ({ content, properties }) => onMessage(content, properties as { headers?: Record<string, unknown> }),
      { timeout: this.options.amqp.connectTimeout, logger: this.logger, source: this.source },
    );
    this.#inboxes.add(inbox);
    return inbox;
  }

  async publish(tasks: readonly RoutedTask[], { signal, operation }: TaskPublishOptions): Promise<void> {
    const deadline = performance.now() + this.options.publishTimeout;
    await this.#ensureAll(tasks, deadline, { signal, operation });
    const options = () => ({
      timeout: Math.max(1, deadline - performance.now()),
      ...(signal === undefined ? {} : { signal }),
    });
    const messages = tasks.map((task) => this.#message(task));
    const [single] = messages;
    if (single !== undefined && messages.length === 1) {
      try {
        return await this.#publisher.publish(single, options());
      } catch (error) {
        if (!this.#forgot(error, tasks)) throw error;
      }
      // Somebody has deleted the queue since it was declared, and no other got the task.
      await this.#ensureAll(tasks, deadline, { signal, operation });
      return this.#publisher.publish(single, options());
    }
    const { error, sent } = await this.#publisher.publishAll(messages, options());
    if (error === undefined) return;
    this.#forgot(error, tasks);
    if (!HubError.is(error)) throw error;
    const details = { ...error.details, sent };
    throw new HubError(error.code, error.message, { ...this.source, cause: error, details });
  }

  async cast(command: ControlCommand): Promise<void> {
    await this.#command(this.#replies.commandBody(command));
  }

  async call(command: ControlCommand, onReply: (reply: ControlReply) => void): Promise<ControlCall> {
    await this.#replyInbox.attach();
    const { ticket, end } = this.#replies.listen(onReply);
    try {
      const heard = await this.#command(this.#replies.commandBody(command, ticket));
      return { workers: heard ? undefined : 0, end };
    } catch (error) {
      end();
      throw error;
    }
  }

  async events(onEvent: (body: unknown) => void): Promise<() => Promise<void>> {
    const inbox = this.inbox(
      {
        queue: `${CELERYEV}.${randomUUID()}`,
        options: { durable: false, exclusive: true, autoDelete: true, ...EVENT_QUEUE },
        bindings: [{ exchange: CELERYEV, type: 'topic', durable: true, routingKey: '#' }],
      },
      (content) => onEvent(parsed(content.toString())),
    );
    const end = async (): Promise<void> => {
      this.#inboxes.delete(inbox);
      await inbox.close();
    };
    try {
      await inbox.attach();
    } catch (error) {
      await end();
      throw error;
    }
    return end;
  }

  async check(): Promise<JsonObject> {
    for (const [link, what] of [
      [this.#consume, 'consuming'],
      [this.#publish, 'publishing'],
    ] as const) {
      if (link.up) continue;
      throw new HubError(
        'UNAVAILABLE',
        `the ${what} connection is down: ${link.fault ?? 'not connected'}.`,
        this.source,
      );
    }
    // Exists in every virtual host; an answer shows that the broker works and not only its socket.
    await this.#rpc.run('healthCheck', (channel) => channel.checkExchange('amq.direct'));
    const { blocked } = this.#publish;
    return {
      unconfirmed: this.#publisher.pending,
      ...(blocked === undefined ? {} : { blocked, degraded: true }),
    };
  }

  async flush(ms: number): Promise<void> {
    await this.#publisher.flush(ms);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#inboxes].map((inbox) => inbox.close()));
    this.#queues.close();
    await this.#publisher.close();
    await this.#rpc.close();
    await Promise.all([this.#publish.close(), this.#consume.close()]);
  }

  /** Sees to the queues of tasks that are not known to be there. */
  async #ensureAll(tasks: readonly RoutedTask[], deadline: number, options: TaskPublishOptions): Promise<void> {
    const missing = tasks.filter(({ route }) => !this.#queues.isReady(route));
    if (missing.length === 0) return;
    const routes = new Map(missing.map(({ route }) => [route.queue, route]));
    for (const route of routes.values()) await this.#ensure(route, deadline, options);
  }

  /** Sees to the queue of a route. While there is no connection it waits for one, as the publisher does. */
  async #ensure(route: TaskRoute, deadline: number, { signal, operation }: TaskPublishOptions): Promise<void> {
    const source = { ...this.source, operation };
    const waits = this.options.amqp.whileDisconnected === 'wait';
    for (;;) {
      const left = Math.max(1, deadline - performance.now());
      const late = (): HubError =>
        new HubError('UNAVAILABLE', `the queue "${route.queue}" was not declared in time.`, source);
      try {
        if (waits && !this.#consume.up) await this.#consume.whenUp(left, signal);
        return await withDeadline(this.#queues.ensure(route), left, late, signal);
      } catch (error) {
        if (!HubError.is(error)) throw error;
        // The connection was lost on the way.
        const again = waits && error.code === 'UNAVAILABLE' && performance.now() + AGAIN_MS < deadline;
        if (!again) throw new HubError(error.code, error.message, { ...source, cause: error });
      }
      await sleep(AGAIN_MS, signal);
    }
  }

  #message({ message, route }: RoutedTask): AmqpMessage {
    return {
      exchange: route.exchange,
      routingKey: route.routingKey,
      content: Buffer.from(message.body),
      properties: new AmqpTaskProperties(message, this.#priority(message)),
    };
  }

  #priority({ priority }: TaskMessage): number | undefined {
    const { maxPriority } = this.options;
    if (maxPriority === undefined || maxPriority >= 9) return maxPriority === undefined ? undefined : priority;
    return Math.round((priority * maxPriority) / 9);
  }

  /** Whether the queues of tasks, which nobody got, are to be looked for again. */
  #forgot(error: unknown, tasks: readonly RoutedTask[]): boolean {
    if (!HubError.is(error, 'NOT_FOUND')) return false;
    const queues = tasks.flatMap(({ route }) => (route.queue === undefined ? [] : [route.queue]));
    for (const queue of queues) this.#queues.forget(queue);
    return queues.length > 0 && this.options.declare === 'assert';
  }

  /** Sends a command to all workers. `false`: there is none. */
  async #command(body: string): Promise<boolean> {
    this.#pidbox ??= this.#rpc.run('control', (channel) =>
      channel.assertExchange(PIDBOX, 'fanout', { durable: false }),
    );
    try {
      await this.#pidbox;
    } catch (error) {
      this.#pidbox = undefined;
      throw error;
    }
    const properties: Options.Publish = {
      messageId: this.#replies.oid,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: { clock: 1, expires: Date.now() / 1_000 + 60 },
    };
    try {
      const message = { exchange: PIDBOX, routingKey: '', content: Buffer.from(body), properties };
      await this.#publisher.publish(message, { timeout: Math.min(this.options.publishTimeout, 5_000) });
      return true;
    } catch (error) {
      // No worker's queue is bound.
      if (HubError.is(error, 'NOT_FOUND')) return false;
      throw error;
    }
  }
}
