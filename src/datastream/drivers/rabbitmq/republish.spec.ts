import type { MessageProperties } from 'amqplib';
import { describe, expect, it } from 'vitest';
import {
  decodeDeadLetter,
  decodeMessage,
  redriveOf,
  republished,
  type EncodedMessage,
  type RawMessage,
  type Republication,
} from './message-codec.js';

const NOW = 1_795_000_000_123;

function rawOf(properties: object, content = '1', redelivered = false): RawMessage {
  return {
    content: Buffer.from(content),
    properties: properties as MessageProperties,
    fields: { deliveryTag: 1, redelivered, exchange: '', routingKey: 'q', messageCount: 0 },
  };
}

/** Publishes a message again and receives it. */
function again(raw: RawMessage, change: Republication): { sent: EncodedMessage; raw: RawMessage } {
  const sent = republished(decodeMessage(raw, 'q', NOW), change);
  return { sent, raw: { ...rawOf(sent.properties), content: sent.content } };
}

const retry = (failure?: string): Republication => ({ kind: 'retry', delayed: false, failure, now: NOW });
const hub = { messageId: 'm', contentType: 'application/json', timestamp: 1, headers: { 'x-hub-sent-at': NOW } };

describe('republished', () => {
  it('keeps the message and counts the delivery', () => {
    const properties = {
      ...hub,
      headers: { ...hub.headers, mine: { '!': 'timestamp', value: 1 }, 'x-delivery-count': 1, 'x-death': [{}] },
      correlationId: 'c',
      priority: 4,
      replyTo: 'r',
      type: 't',
      appId: 'a',
      userId: 'somebody',
    };
    const { sent, raw } = again(rawOf(properties, '[2]', true), retry());
    expect(sent.properties).toEqual({
      messageId: 'm',
      contentType: 'application/json',
      timestamp: 1,
      correlationId: 'c',
      priority: 4,
      replyTo: 'r',
      type: 't',
      appId: 'a',
      deliveryMode: 2,
      mandatory: true,
      headers: {
        'x-hub-sent-at': NOW,
        'x-hub-attempt': 2,
        mine: { '!': 'object', value: { '!': 'timestamp', value: 1 } },
      },
    });
    expect(decodeMessage(raw, 'q', NOW)).toMatchObject({ attempt: 3, message: { payload: [2], timestamp: NOW } });
  });

  it('keeps typed headers of other clients, takes off routing ones, and gives a missing id and time', () => {
    const when = { '!': 'timestamp', value: 5 };
    const { sent, raw } = again(rawOf({ headers: { when, CC: ['elsewhere'] } }), retry());
    expect(sent.properties.headers).toEqual({ when, 'x-hub-attempt': 1 });
    expect(sent.properties.messageId).toMatch(/^[0-9a-f-]{36}$/);
    expect(sent.properties.timestamp).toBe(1_795_000_000);
    expect(decodeMessage(raw, 'q', NOW).message.headers).toEqual({ when: '1970-01-01T00:00:05.000Z' });
  });

  it('carries the last ten failures and the number of all', () => {
    let raw = rawOf(hub);
    for (let failure = 1; failure <= 12; failure += 1) ({ raw } = again(raw, retry(`failure ${failure}`)));
    const { failures, failureCount, attempt } = decodeMessage(raw, 'q', NOW);
    expect([failures.length, failureCount, attempt]).toEqual([10, 12, 13]);
    expect(failures[0]).toEqual({ attempt: 3, at: NOW, detail: 'failure 3' });
    ({ raw } = again(raw, retry()));
    expect(decodeMessage(raw, 'q', NOW)).toMatchObject({ failureCount: 12, attempt: 14 });
  });

  it('keeps the failures within what a header frame holds', () => {
    let raw = rawOf(hub);
    for (let failure = 1; failure <= 12; failure += 1) ({ raw } = again(raw, retry('\u0001'.repeat(5_000))));
    const text = String(raw.properties.headers?.['x-hub-failures']);
    expect(text.length).toBeLessThanOrEqual(8_192);
    expect(decodeMessage(raw, 'q', NOW).failures.length).toBeGreaterThan(3);
  });

  it('counts a delivery that the broker did not count, and no more than that', () => {
    const { raw } = again(rawOf(hub, '1', true), { kind: 'count', now: NOW });
    expect(decodeMessage(raw, 'q', NOW)).toMatchObject({ attempt: 2, uncounted: false, failureCount: 0 });
  });

  it('gives the rest of its time to a message that expires, and none to one that is parked', () => {
    const properties = { ...hub, expiration: '1000', headers: { ...hub.headers, 'x-hub-ttl': 1_000 } };
    const at = (delayed: boolean, now: number) => again(rawOf(properties), { kind: 'retry', delayed, now });
    const direct = at(false, NOW + 300);
    expect(direct.sent.properties.expiration).toBe('700');
    const parked = at(true, NOW + 300);
    expect(parked.sent.properties.expiration).toBeUndefined();
    for (const { raw } of [direct, parked]) {
      expect(decodeMessage(raw, 'q', NOW + 400)).toMatchObject({ ttl: 1_000, expiresAt: NOW + 1_000 });
    }
    // Out of the delay queue it expires when it always did.
    const back = again(parked.raw, { kind: 'retry', delayed: false, now: NOW + 600 });
    expect(back.sent.properties.expiration).toBe('400');
    expect(at(false, NOW + 2_000).sent.properties.expiration).toBe('1');
  });

  it('refuses headers of other clients that cannot be encoded again', () => {
    const received = decodeMessage(rawOf({ headers: { large: 'x'.repeat(70_000) } }), 'q', NOW);
    expect(() => republished(received, retry())).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }));
  });
});

describe('dead letters', () => {
  const properties = { ...hub, expiration: '9000', headers: { ...hub.headers, h: 1, 'x-hub-ttl': 9_000 } };
  const bury = (detail: string): Republication => ({
    kind: 'bury',
    reason: 'failed',
    detail,
    failure: 'f',
    now: NOW + 9,
  });

  it('say why and when, and keep the message', () => {
    const { sent, raw } = again(rawOf(properties, '"body"'), bury('because'));
    expect(sent.properties.expiration).toBeUndefined();
    const peeked = { ...raw, fields: { ...raw.fields, redelivered: true } } as RawMessage;
    peeked.properties.headers = { ...peeked.properties.headers, 'x-delivery-count': 4 };
    expect(decodeDeadLetter(peeked, { queue: 'q' }, 0)).toEqual({
      messageId: 'm',
      queue: 'q',
      payload: 'body',
      headers: { h: 1 },
      correlationId: null,
      timestamp: NOW,
      attempt: 1,
      redelivered: false,
      reason: 'failed',
      detail: 'because',
      deadAt: NOW + 9,
    });
    const long = again(rawOf(properties), bury('x'.repeat(5_000)));
    expect(decodeDeadLetter(long.raw, { queue: 'q' }, 0).detail).toHaveLength(2_000);
  });

  it('that the broker made say it by x-death: the entry of their queue', () => {
    const letter = (reason: string, limit?: number) => {
      const time = { '!': 'timestamp', value: 1_795_000_001 };
      const deaths = [
        { queue: 'q~delay.100', reason: 'expired', time: { '!': 'timestamp', value: 1 } },
        { queue: 'q', reason, time },
      ];
      const raw = rawOf({ ...hub, headers: { ...hub.headers, 'x-hub-attempt': 2, 'x-death': deaths } });
      const { reason: read, detail, deadAt, attempt } = decodeDeadLetter(raw, { queue: 'q', deliveryLimit: limit }, 0);
      return [read, detail, deadAt, attempt];
    };
    expect(letter('expired')).toEqual(['expired', 'its time to live was over', 1_795_000_001_000, 2]);
    expect(letter('delivery_limit', 5)[0]).toBe('delivery-limit');
    expect(letter('delivery_limit', 5)[3]).toBe(7);
    expect(letter('rejected')).toEqual(['rejected', '', 1_795_000_001_000, 2]);
    expect(letter('maxlen')[0]).toBe('rejected');
  });

  it('that others put there, or that cannot be read, are shown all the same', () => {
    const raw = rawOf({ contentType: 'application/json', headers: { 'x-hub-dead-reason': 'odd' } }, '{oops');
    const letter = decodeDeadLetter(raw, { queue: 'q' }, NOW);
    expect(letter).toMatchObject({ reason: 'rejected', detail: '', deadAt: NOW, attempt: 0 });
    expect(letter.payload).toEqual(new Uint8Array(Buffer.from('{oops')));
  });

  it('go back as new messages with their own time to live', () => {
    const { raw } = again(rawOf(properties), bury('because'));
    const sent = redriveOf(raw, 'q', NOW + 60_000);
    expect(sent.properties.expiration).toBe('9000');
    const back = decodeMessage({ ...rawOf(sent.properties), content: sent.content }, 'q', NOW);
    expect(back).toMatchObject({ attempt: 1, failureCount: 0, failures: [], ttl: 9_000, expiresAt: NOW + 69_000 });
    expect(back.message).toMatchObject({ messageId: 'm', headers: { h: 1 }, timestamp: NOW });
    expect(Object.keys(sent.properties.headers as object)).not.toContain('x-hub-dead-reason');
    // The broker takes the expiration off what it finds expired.
    const foreign = rawOf({ headers: { 'x-death': [{ queue: 'q', reason: 'expired', 'original-expiration': '77' }] } });
    expect(redriveOf(foreign, 'q', NOW).properties.expiration).toBe('77');
  });
});
