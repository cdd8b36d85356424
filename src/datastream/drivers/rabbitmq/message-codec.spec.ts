import type { MessageProperties } from 'amqplib';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../core/json.js';
import type { Payload } from '../../datastream.types.js';
import { sealMessage } from '../../datastream.validation.js';
import { decodeMessage, encodeMessage, type EncodedMessage, type RawMessage } from './message-codec.js';

const NOW = 1_795_000_000_123;
const RULES = { maxPayloadBytes: 1_000_000, priority: true, source: {} };

function encoded(payload: Payload, options: object = {}): EncodedMessage {
  return encodeMessage(sealMessage({ payload, messageId: 'm-1', ...options }, RULES), NOW);
}

function received(properties: object, content: Buffer | string = '1', fields: object = {}): RawMessage {
  return {
    content: Buffer.from(content),
    properties: properties as MessageProperties,
    fields: { deliveryTag: 1, redelivered: false, exchange: '', routingKey: 'q', messageCount: 0, ...fields },
  };
}

const decode = (raw: RawMessage) => decodeMessage(raw, 'q', NOW + 5_000);

describe('encodeMessage', () => {
  it('makes a persistent, mandatory message with what was given', () => {
    const { content, properties } = encoded({ a: 1 }, { correlationId: 'c', expiration: 1_500, priority: 3 });
    expect(content.toString()).toBe('{"a":1}');
    expect(properties).toEqual({
      contentType: 'application/json',
      headers: { 'x-hub-sent-at': NOW, 'x-hub-ttl': 1_500 },
      deliveryMode: 2,
      mandatory: true,
      priority: 3,
      correlationId: 'c',
      expiration: '1500',
      messageId: 'm-1',
      timestamp: 1_795_000_000,
    });
  });

  it('leaves out what was not given', () => {
    const { content, properties } = encoded(new Uint8Array([0, 255]));
    expect([...content]).toEqual([0, 255]);
    expect(properties.contentType).toBe('application/octet-stream');
    const { correlationId, expiration, priority } = properties;
    expect([correlationId, expiration, priority]).toEqual([undefined, undefined, undefined]);
  });

  it('refuses headers by which the broker routes, or which are its own', () => {
    for (const name of ['CC', 'BCC', 'x-death', 'x-delivery-count', 'x-first-death-queue']) {
      expect(() => encoded(1, { headers: { [name]: ['other'] } })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(`"${name}"`) }),
      );
    }
  });

  it('refuses headers that AMQP cannot carry, wherever they are', () => {
    const tooMany = { list: Array.from({ length: 6_000 }, () => 0.5) };
    for (const headers of [
      { large: 'x'.repeat(49_152) },
      { large: 'ü'.repeat(25_000) },
      // 24 kB of JSON, but each number has 9 bytes in AMQP.
      tooMany,
      { ['n'.repeat(256)]: 1 },
      { nested: [{ ['ü'.repeat(128)]: 1 }] },
      { nested: JSON.parse('{"__proto__":1}') as JsonObject },
    ]) {
      expect(() => encoded(1, { headers })).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }));
    }
    expect(() => encoded(1, { headers: { large: 'x'.repeat(49_000), ['n'.repeat(100)]: 1 } })).not.toThrow();
  });
});

describe('decodeMessage', () => {
  it('gives back what was encoded', () => {
    const headers = { list: [1, null, { '!': 'timestamp', value: 5 }], text: 'ü' };
    const { properties, content } = encoded('text', { headers, correlationId: 'c', expiration: 9_000 });
    // What amqplib makes of a table on the way.
    const table = { ...properties.headers, ...headers } as object;
    const { message, ...rest } = decode(received({ ...properties, headers: table }, content));
    expect(message).toEqual({
      messageId: 'm-1',
      queue: 'q',
      payload: 'text',
      headers,
      correlationId: 'c',
      timestamp: NOW,
      attempt: 1,
      redelivered: false,
    });
    expect(rest).toMatchObject({ attempt: 1, uncounted: false, ttl: 9_000, expiresAt: NOW + 9_000, failures: [] });
    expect(rest).toMatchObject({ failureCount: 0, fault: undefined });
  });

  it('reads a body by its content type', () => {
    const cases: [contentType: string | undefined, body: string, payload: Payload][] = [
      ['application/json', '{"a":[1]}', { a: [1] }],
      ['application/json; charset=utf-8', 'null', null],
      ['application/vnd.event+JSON', '"x"', 'x'],
      ['text/plain', '{"a":1}', '{"a":1}'],
      ['TEXT/csv;header=present', 'a,b', 'a,b'],
      [undefined, '7', 7],
      ['', '[]', []],
      [undefined, 'no json', new Uint8Array(Buffer.from('no json'))],
      ['image/png', '1', new Uint8Array(Buffer.from('1'))],
      ['application/octet-stream', '', new Uint8Array()],
    ];
    for (const [contentType, body, payload] of cases) {
      const { message, fault } = decode(received({ contentType, headers: {} }, body));
      expect([contentType, message.payload, fault]).toEqual([contentType, payload, undefined]);
    }
    const bytes = decode(received({ contentType: 'application/x-protobuf' }, 'ab')).message.payload;
    expect(Buffer.isBuffer(bytes)).toBe(false);
  });

  it('says what is wrong with a body that calls itself JSON and is none', () => {
    const { fault, message } = decode(received({ contentType: 'application/json' }, '{oops'));
    expect(fault).toContain('application/json');
    expect(message.payload).toEqual(new Uint8Array(Buffer.from('{oops')));
  });

  it('fills in what a message of another client lacks', () => {
    const bare = decode(received({}));
    expect(bare.message).toMatchObject({ correlationId: null, headers: {}, timestamp: NOW + 5_000, attempt: 1 });
    expect(bare.message.messageId).toMatch(/^[0-9a-f-]{36}$/);
    expect(decode(received({})).message.messageId).not.toBe(bare.message.messageId);
    expect([bare.ttl, bare.expiresAt]).toEqual([null, null]);
    const seconds = decode(received({ timestamp: 1_700_000_000, expiration: '250' }));
    expect(seconds.message.timestamp).toBe(1_700_000_000_000);
    // Its clock says nothing exact, so the time of receipt counts.
    expect([seconds.ttl, seconds.expiresAt]).toEqual([250, NOW + 5_250]);
    expect(decode(received({ timestamp: 1_700_000_000_500 })).message.timestamp).toBe(1_700_000_000_500);
  });

  it('does not take a message for expired because the clock of its sender is slow', () => {
    const expiry = (headers: object, expiration?: string) => decode(received({ headers, expiration })).expiresAt;
    const sent = { 'x-hub-sent-at': NOW, 'x-hub-ttl': 2_000 };
    expect(expiry(sent, '2000')).toBe(NOW + 7_000);
    expect(expiry({ ...sent, 'x-hub-expires-at': NOW + 4_000 }, '500')).toBe(NOW + 5_500);
    expect(expiry({ ...sent, 'x-hub-expires-at': NOW + 6_000 }, '500')).toBe(NOW + 6_000);
    // Nobody has watched over it in a delay queue.
    expect(expiry({ ...sent, 'x-hub-expires-at': NOW + 4_000 })).toBe(NOW + 4_000);
    expect(expiry(sent)).toBeNull();
  });

  it('shows the headers of other clients as JSON, without those of the broker', () => {
    const headers = {
      when: { '!': 'timestamp', value: 1_700_000_000 },
      price: { '!': 'decimal', value: { places: 2, digits: 1_999 } },
      raw: Buffer.from('hi'),
      bad: Number.NaN,
      deep: [{ at: { '!': 'timestamp', value: 0 } }],
      CC: ['elsewhere'],
      'x-custom': 1,
      'x-hub-odd': 1,
      'x-death': [],
      'x-first-death-reason': 'expired',
      'x-last-death-queue': 'other',
      'x-delivery-count': 0,
      'x-acquired-count': 0,
    };
    expect(decode(received({ headers })).message.headers).toEqual({
      when: '2023-11-14T22:13:20.000Z',
      price: 19.99,
      raw: 'aGk=',
      bad: null,
      deep: [{ at: '1970-01-01T00:00:00.000Z' }],
      CC: ['elsewhere'],
      'x-custom': 1,
    });
  });

  it('counts the attempts of both kinds of queues', () => {
    const attempt = (headers: object, redelivered: boolean) => {
      const { message, uncounted } = decode(received({ headers }, '1', { redelivered }));
      return [message.attempt, message.redelivered, uncounted];
    };
    expect(attempt({}, false)).toEqual([1, false, false]);
    expect(attempt({ 'x-delivery-count': 0 }, false)).toEqual([1, false, false]);
    expect(attempt({ 'x-delivery-count': 2 }, true)).toEqual([3, true, false]);
    expect(attempt({ 'x-hub-attempt': 4, 'x-delivery-count': 1 }, true)).toEqual([6, true, false]);
    expect(attempt({ 'x-hub-attempt': 4 }, false)).toEqual([5, true, false]);
    // A classic queue only says that there was a delivery.
    expect(attempt({ 'x-hub-attempt': 4 }, true)).toEqual([6, true, true]);
    // Carried over from another queue by a tool.
    expect(attempt({ 'x-delivery-count': 7 }, false)).toEqual([1, false, false]);
  });

  it('takes a dead letter that a tool has moved back for a new message', () => {
    const headers = { 'x-hub-attempt': 20, 'x-hub-failed': 3, 'x-hub-dead-reason': 'failed', 'x-hub-expires-at': 1 };
    const { attempt, failureCount, expiresAt } = decode(received({ headers }));
    expect([attempt, failureCount, expiresAt]).toEqual([1, 0, null]);
  });

  it('is not put off by hub headers that make no sense', () => {
    for (const failures of ['{', '7', 7, null]) {
      const headers = { 'x-hub-failures': failures, 'x-hub-attempt': 'x', 'x-hub-ttl': -1, 'x-hub-sent-at': null };
      expect(decode(received({ headers }))).toMatchObject({ failures: [], attempt: 1, ttl: null });
    }
  });
});
