import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../../../core/json.js';

/** What kombu puts a message into, for a list or channel of Redis. */
export interface EnvelopeOptions {
  headers: JsonObject;
  exchange: string;
  routingKey: string;
  correlationId?: string;
  replyTo?: string;
  /** As kombu has it on Redis: 0 is the highest. Default 0. */
  priority?: number;
}

/**
 * A message of kombu's Redis transport as JSON text. All properties are given: without `delivery_tag`, `delivery_info`, or a
 * content type, the worker that takes the message ends. https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.transport.redis.html
 */
export function redisEnvelope(body: string, options: EnvelopeOptions): string {
  const { headers, exchange, routingKey, correlationId, replyTo, priority = 0 } = options;
  return JSON.stringify({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers,
    properties: {
      ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
      ...(replyTo === undefined ? {} : { reply_to: replyTo }),
      delivery_mode: 2,
      delivery_info: { exchange, routing_key: routingKey },
      priority,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  });
}

/** The parts of an envelope that was read: its headers and the text of its body; `undefined` for what is none. */
export function openEnvelope(text: string): { headers: JsonObject; body: string } | undefined {
  try {
    const { headers, body, properties } = JSON.parse(text) as Record<string, unknown>;
    if (typeof body !== 'string') return undefined;
    const encoding = (properties as Record<string, unknown> | undefined)?.['body_encoding'];
    return {
      headers: (headers ?? {}) as JsonObject,
      body: encoding === 'base64' ? Buffer.from(body, 'base64').toString() : body,
    };
  } catch {
    return undefined;
  }
}
