import { describe, expect, it } from 'vitest';
import { HubError } from '../core/errors.js';
import { amqpError, faultText } from './amqp.errors.js';

const error = (message: string, more: object = {}): Error => Object.assign(new Error(message), more);

describe('errors of AMQP', () => {
  it.each([
    [311, 'CONTENT_TOO_LARGE', 'PAYLOAD_INVALID'],
    [320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 'UNAVAILABLE'],
    [403, 'ACCESS_REFUSED', 'UNAUTHORIZED'],
    [404, 'NOT_FOUND', 'NOT_FOUND'],
    [405, 'RESOURCE_LOCKED', 'CONFLICT'],
    [406, 'PRECONDITION_FAILED - inequivalent arg', 'CONFLICT'],
    [406, 'PRECONDITION_FAILED - message size 134217729 is larger than configured max size', 'PAYLOAD_INVALID'],
    [506, 'RESOURCE_ERROR', 'UNAVAILABLE'],
    [530, "NOT_ALLOWED - vhost 'x' not found", 'CONFIG_INVALID'],
    [530, "NOT_ALLOWED - access to vhost 'x' refused for user 'y'", 'UNAUTHORIZED'],
    [530, "NOT_ALLOWED - vhost 'x' is down", 'UNAVAILABLE'],
    [540, 'NOT_IMPLEMENTED', 'UNSUPPORTED'],
    [541, 'INTERNAL_ERROR', 'UNAVAILABLE'],
  ])('have the code of the reply %i (%s)', (code, text, expected) => {
    const message = `Channel closed by server: ${code} (WHATEVER) with message "${text}"`;
    const found = amqpError(error(message, { code }), { driver: 'amqp', details: { queue: 'q' } }, 'the queue "q"');
    expect(found).toMatchObject({ code: expected, details: { queue: 'q', replyCode: code } });
    expect(found.message).toBe(`[amqp] the queue "q": ${text}`);
  });

  it.each([
    ['connect ECONNREFUSED 127.0.0.1:5672', 'ECONNREFUSED', 'UNAVAILABLE'],
    ['read ECONNRESET', 'ECONNRESET', 'UNAVAILABLE'],
    ['Heartbeat timeout', undefined, 'UNAVAILABLE'],
    ['Channel closed', undefined, 'UNAVAILABLE'],
    ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CONFIG_INVALID'],
    ['certificate has expired', 'CERT_HAS_EXPIRED', 'CONFIG_INVALID'],
    ['alert number 42', 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'CONFIG_INVALID'],
  ])('take %s for what it is', (message, code, expected) => {
    const found = amqpError(error(message, code === undefined ? {} : { code }), {});
    expect(found.code).toBe(expected);
    expect(found.message).toContain(message);
  });

  it('say what the last of several addresses said', () => {
    const both = new AggregateError([error('first'), error('connect ECONNREFUSED ::1:5672')]);
    expect(faultText(both)).toBe('connect ECONNREFUSED ::1:5672');
  });

  it('hold no password, and leave a HubError as it is', () => {
    const found = amqpError(error('at amqp://bob:s3cret@h/', { url: 'amqp://bob:s3cret@h/' }), {});
    expect(found.message + JSON.stringify(found.cause)).not.toContain('s3cret');
    const known = new HubError('CLOSED', 'closed');
    expect(amqpError(known, { driver: 'amqp' }, 'what')).toBe(known);
    expect(amqpError(new TypeError('x is not a function'), {}).code).toBe('INTERNAL');
    expect(amqpError(undefined, {}).code).toBe('UNAVAILABLE');
  });
});
