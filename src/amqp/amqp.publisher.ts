import type { ConfirmChannel } from 'amqplib';
import { abortError, withDeadline } from '../core/deadline.js';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import { ConfirmWindow, isRefusal, refusalOf } from './amqp.confirm-window.js';
import { Deadlines } from './amqp.deadlines.js';
import type { AmqpLink } from './amqp.link.js';
import type { AmqpMessage, AmqpPublishOptions } from './amqp.message.js';
import type { AmqpOptions } from './amqp.options.js';
import { PendingMessage } from './amqp.pending-message.js';
import { WaitingLine } from './amqp.waiting-line.js';

/** Most messages that are sent and not confirmed. */
const WINDOW = 2_000;
/** From how many settled messages in the line it is worth while to let go of them. */
const PRUNE_FROM = 1_000;
/** Wait before a new channel on a connection that is there, in ms. */
const REOPEN_MS = 200;
/** How long a channel that is given up may still confirm, in ms. */
const RENEW_MS = 500;
/** Most time to close the channel, in ms. */
const CLOSE_MS = 1_000;

/**
 * Publishes messages on one link, in order and pipelined. Each promise resolves when the broker has taken the message
 * over. One whose confirm is lost with the connection is sent again with the same id: at least once.
 */
export class AmqpPublisher {
  readonly #line = new WaitingLine();
  readonly #unlisten: () => void;
  #window: ConfirmWindow | undefined;
  #opening = false;
  #closed = false;
  #pending = 0;
  /** What the last lost channel left unconfirmed. */
  #suspects: PendingMessage[] = [];
  /** So many are sent one by one: the broker closed the channel for one of them. */
  #singly = 0;
  readonly #deadlines = new Deadlines(
    () => [...(this.#window ?? []), ...this.#line],
    (overdue) => {
      for (const pending of overdue) pending.reject(this.#unavailable(pending));
      this.#line.prune();
    },
  );
  #reopen: NodeJS.Timeout | undefined;
  readonly #idle = new Set<() => void>();

  constructor(
    private readonly link: AmqpLink,
    private readonly options: Pick<AmqpOptions, 'publishTimeout' | 'whileDisconnected'>,
    private readonly source: HubErrorOptions,
  ) {
    this.#unlisten = link.listen({
      up: () => this.#open(),
      down: (_why, error) => this.#onDown(error),
      blocked: () => this.#failWaiting(),
      unblocked: () => this.#pump(),
      closed: () => void this.close(),
    });
    if (link.up) this.#open();
  }

  /** Messages that are not settled yet. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Resolves when the broker has confirmed the message. Rejects with `NOT_FOUND` (no queue got it), `CONFLICT` (the
   * broker refused it, as a full queue does), `PAYLOAD_INVALID` (too large, or no AMQP), `UNAVAILABLE` (deadline or lost
   * connection), `ABORTED`, or `CLOSED`. `details.outcome` is `unsent`, or `unknown` once it was sent.
   */
  publish(message: AmqpMessage, options: AmqpPublishOptions = {}): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#take(message, this.#deadline(options), options.signal, resolve, reject),
    );
  }

  /**
   * Publishes several in order. Resolves, when all are settled, to how many the broker has confirmed, and to the first
   * error, as {@link publish} would reject with it.
   */
  publishAll(
    messages: readonly AmqpMessage[],
    options: AmqpPublishOptions = {},
  ): Promise<{ sent: number; error?: Error }> {
    return new Promise((resolve) => {
      let [left, sent] = [messages.length, 0];
      let error: Error | undefined;
      const settled = (): void => {
        left -= 1;
        if (left === 0) resolve(error === undefined ? { sent } : { sent, error });
      };
      const stored = (): void => {
        sent += 1;
        settled();
      };
      const failed = (reason: Error): void => {
        error ??= reason;
        settled();
      };
      const deadline = this.#deadline(options);
      for (const message of messages) this.#take(message, deadline, options.signal, stored, failed);
      if (messages.length === 0) resolve({ sent });
    });
  }

  /** Waits until nothing is pending, at most `ms` (`UNAVAILABLE`). */
  async flush(ms: number): Promise<void> {
    if (this.#pending === 0) return;
    let wake: () => void = () => undefined;
    const idle = new Promise<void>((resolve) => (wake = resolve));
    this.#idle.add(wake);
    try {
      await withDeadline(idle, ms, () => {
        const text = `${this.#pending} messages are not confirmed after ${ms} ms.`;
        return new HubError('UNAVAILABLE', text, { ...this.source, details: { pending: this.#pending } });
      });
    } finally {
      this.#idle.delete(wake);
    }
  }

  /**
   * Goes over to a new channel, where what is unconfirmed after 500 ms is sent again. For when a queue was deleted: a
   * channel that has sent to a quorum queue counts on when it is made again, and waits for its confirms in vain.
   */
  renew(): void {
    this.#window?.retire(RENEW_MS);
  }

  /** Rejects what is pending with `CLOSED` and closes the channel, within 1 s; the link stays. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten();
    this.#deadlines.stop();
    clearTimeout(this.#reopen);
    const window = this.#window;
    this.#window = undefined;
    for (const pending of [...(window ?? []), ...this.#line]) pending.reject(this.#closedError(pending));
    this.#line.prune();
    await withDeadline(Promise.resolve(window?.close()), CLOSE_MS).catch(() => undefined);
  }

  /** Takes a message in; one of the two functions is called once. */
  #take(
    message: AmqpMessage,
    deadline: number,
    signal: AbortSignal | undefined,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const pending = new PendingMessage(message, deadline, resolve, reject, this.#onSettled);
    this.#pending += 1;
    if (this.#closed) return pending.reject(this.#closedError(pending));
    if (signal?.aborted === true) {
      return pending.reject(abortError(signal, { ...this.source, details: pending.details }));
    }
    if (this.#failing) return pending.reject(this.#unavailable(pending));
    if (signal !== undefined) pending.follow(signal, this.source);
    this.#deadlines.watch(deadline);
    // Most find nothing before them.
    if (this.#line.size === 0 && this.#room && this.#write(pending)) return;
    // Of those that were given up while nothing could be sent.
    if (this.#line.size > 2 * this.#pending + PRUNE_FROM) this.#line.prune();
    this.#line.push(pending);
    this.#pump();
  }

  #deadline({ timeout = this.options.publishTimeout }: AmqpPublishOptions): number {
    return performance.now() + timeout;
  }

  /** Whether messages are turned away instead of waiting. */
  get #failing(): boolean {
    return this.options.whileDisconnected === 'fail' && (!this.link.up || this.link.blocked !== undefined);
  }

  readonly #onSettled = (): void => {
    this.#pending -= 1;
    if (this.#pending === 0 && this.#idle.size > 0) for (const wake of [...this.#idle]) wake();
  };

  /** Whether a message can be written now. */
  get #room(): boolean {
    const window = this.#window;
    if (window === undefined || this.link.blocked !== undefined) return false;
    return window.writable && window.size < (this.#singly > 0 ? 1 : WINDOW);
  }

  /** Writes what waits, as far as there is room. */
  #pump(): void {
    while (this.#room) {
      const pending = this.#line.shift();
      if (pending === undefined) return;
      if (!this.#write(pending)) return this.#line.putBack([pending]);
    }
  }

  #write(pending: PendingMessage): boolean {
    if (this.#window?.write(pending) !== true) return false;
    if (this.#singly > 0) this.#singly -= 1;
    return true;
  }

  #open(): void {
    clearTimeout(this.#reopen);
    if (this.#closed || this.#opening || this.#window !== undefined || !this.link.up) return;
    this.#opening = true;
    this.link
      .channel()
      .then((channel) => {
        this.#opening = false;
        this.#attach(channel);
      })
      .catch(() => {
        this.#opening = false;
        this.#openLater();
      });
  }

  #attach(channel: ConfirmChannel): void {
    if (this.#closed) return void channel.close().catch(() => undefined);
    const window: ConfirmWindow = new ConfirmWindow(channel, this.source, {
      room: () => this.#pump(),
      vanished: () => this.renew(),
      // It waits for the queue that is gone, and reads nothing more on the whole connection.
      stuck: () => this.link.drop('the broker does not let a channel go'),
      lost: (unconfirmed, error) => {
        if (this.#window === window) this.#onLost(unconfirmed, error, window.retired);
      },
    });
    this.#window = window;
    this.#pump();
  }

  #openLater(): void {
    clearTimeout(this.#reopen);
    if (this.#closed) return;
    this.#reopen = setTimeout(() => this.#open(), REOPEN_MS);
    this.#reopen.unref();
  }

  /** The channel is gone; the connection perhaps too, which is told later. */
  #onLost(unconfirmed: PendingMessage[], error: unknown, retired: boolean): void {
    this.#window = undefined;
    this.#suspects = unconfirmed;
    if (isRefusal(error)) this.#narrow(error);
    this.#line.putBack(unconfirmed.filter(({ settled }) => !settled));
    // After the connection had time to tell that it is gone.
    if (isRefusal(error) || retired) queueMicrotask(() => this.#open());
    else this.#openLater();
  }

  #onDown(error: unknown): void {
    if (isRefusal(error)) this.#narrow(error);
    this.#failWaiting();
  }

  /** The broker closed the channel because of one of the unconfirmed messages, and does not say which. */
  #narrow(error: unknown): void {
    const [first, second] = this.#suspects;
    if (second === undefined) first?.reject(refusalOf(first, error, this.source));
    else this.#singly = this.#suspects.filter(({ settled }) => !settled).length;
    this.#suspects = [];
  }

  #failWaiting(): void {
    if (!this.#failing) return;
    for (const pending of [...this.#line]) pending.reject(this.#unavailable(pending));
    this.#line.prune();
  }

  #unavailable(pending: PendingMessage): HubError {
    const { blocked, fault } = this.link;
    const why =
      fault !== undefined
        ? `there is no connection to RabbitMQ (${fault})`
        : blocked !== undefined
          ? `the broker takes no messages for now, it has a resource alarm (${blocked})`
          : `RabbitMQ did not ${pending.sent ? 'confirm' : 'take'} it in time`;
    const state = pending.sent ? 'was sent and may have arrived' : 'was not sent';
    const { routingKey } = pending.message;
    const text = `the message for "${routingKey}" ${state}: ${why}.`;
    return new HubError('UNAVAILABLE', text, { ...this.source, details: pending.details });
  }

  #closedError(pending: PendingMessage): HubError {
    const text = `the publisher was closed before the message for "${pending.message.routingKey}" was confirmed.`;
    return new HubError('CLOSED', text, { ...this.source, details: pending.details });
  }
}
