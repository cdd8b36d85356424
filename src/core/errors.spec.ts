import { describe, expect, it } from 'vitest';
import { errorMessage, HubError } from './errors.js';

const throwing = (): never => {
  throw new Error('a getter that throws');
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

describe('errorMessage', () => {
  it.each<[string, unknown, string]>([
    ['an error', new Error('amqp://me:hunter2@host is gone'), 'amqp://[redacted]@host is gone'],
    ['a text', 'boom', 'boom'],
    ['nothing', undefined, 'undefined'],
    ['a message that is a list', Object.assign(new Error('x'), { message: ['a', 'b'] }), 'a,b'],
    ['no message', Object.assign(new Error('x'), { message: undefined }), 'undefined'],
    ['an object without prototype', Object.create(null), 'an error that cannot be shown'],
    [
      'a message that throws',
      Object.defineProperty(new Error('x'), 'message', { get: throwing }),
      'an error that cannot be shown',
    ],
    ['a toString that throws', { toString: throwing }, 'an error that cannot be shown'],
    ['a revoked proxy', revoked.proxy, 'an error that cannot be shown'],
  ])('shows %s', (_what, thrown, expected) => {
    expect(errorMessage(thrown)).toBe(expected);
  });
});

describe('HubError', () => {
  it.each<[string, unknown]>([
    ['an object without prototype', Object.assign(Object.create(null) as object, { url: 'amqp://me:hunter2@host' })],
    ['a stack that throws', Object.defineProperty(new Error('x'), 'stack', { get: throwing })],
    ['a stack that is no text', Object.assign(new Error('x'), { stack: Object.create(null) as object })],
    ['a revoked proxy', Object.assign(new Error('x'), { of: revoked.proxy })],
    ['a function without a text for a name', Object.defineProperty(() => 1, 'name', { value: Symbol('f') })],
  ])('takes as its cause %s', (_what, cause) => {
    const error = new HubError('INTERNAL', 'it failed', { cause });
    expect(error.cause).toBeDefined();
    expect(JSON.stringify(error.cause)).not.toContain('hunter2');
  });
});
