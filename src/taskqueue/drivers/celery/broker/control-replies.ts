import { randomUUID } from 'node:crypto';
import { parseKombuJson } from '../message/kombu-json.js';
import type { ControlCommand, ControlReply } from './celery-broker.js';

/** Exchange through which workers hear commands. */
export const PIDBOX = 'celery.pidbox';
/** Exchange through which their answers come. */
export const REPLY_PIDBOX = 'reply.celery.pidbox';
/** Exchange of their events. */
export const CELERYEV = 'celeryev';

/** Who waits for answers of workers, by the ticket of the call. */
export class ControlReplies {
  /** The address of this plugin: part of the reply queue's name. */
  readonly oid = randomUUID();
  readonly #listeners = new Map<string, (reply: ControlReply) => void>();

  /** Name of the queue or list in which answers arrive. */
  get queue(): string {
    return `${this.oid}.${REPLY_PIDBOX}`;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#listeners.size;
  }

  /** A ticket whose answers `onReply` gets, and how to end that. */
  listen(onReply: (reply: ControlReply) => void): { ticket: string; end: () => void } {
    const ticket = randomUUID();
    this.#listeners.set(ticket, onReply);
    return { ticket, end: () => void this.#listeners.delete(ticket) };
  }

  /** Hands an answer over; one that nobody waits for, or that is malformed, is dropped. */
  deliver(ticket: unknown, body: string): void {
    const listener = typeof ticket === 'string' ? this.#listeners.get(ticket) : undefined;
    if (listener === undefined) return;
    const reply = parsed(body);
    if (typeof reply === 'object' && reply !== null && !Array.isArray(reply)) listener(reply as ControlReply);
  }

  /** The body of a command; with a ticket, answers are asked for. A body that is no object would end a worker. */
  commandBody({ method, arguments: given, destination }: ControlCommand, ticket?: string): string {
    return JSON.stringify({
      method,
      arguments: given,
      destination: destination === undefined ? null : [...destination],
      pattern: null,
      matcher: null,
      ...(ticket === undefined ? {} : { ticket, reply_to: { exchange: REPLY_PIDBOX, routing_key: this.oid } }),
    });
  }
}

/** Parsed JSON of a worker, or `undefined`. */
export function parsed(body: string): unknown {
  try {
    return parseKombuJson(body);
  } catch {
    return undefined;
  }
}
