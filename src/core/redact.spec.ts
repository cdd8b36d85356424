import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HubError } from './errors.js';
import { REDACTED, redactError, Redactor, redactUrls } from './redact.js';

describe('redactUrls', () => {
  it.each([
    ['amqp://user:pass@host:5672/v', `amqp://${REDACTED}@host:5672/v`],
    ['a redis://:pass@h and http://u@h/x.', `a redis://${REDACTED}@h and http://${REDACTED}@h/x.`],
    ['amqp://u:p@ss@host', `amqp://${REDACTED}@host`],
    ['postgresql+psycopg://u:p@h/db', `postgresql+psycopg://${REDACTED}@h/db`],
    ['https://host/path?mail=a@b', 'https://host/path?mail=a@b'],
    ['write to me@host', 'write to me@host'],
  ])('%s', (text, expected) => {
    expect(redactUrls(text)).toBe(expected);
  });
});

describe('Redactor', () => {
  const redactor = new Redactor(['hunter2', 'hunter2-long', '']);

  it('hides every secret, the longer of two first, and no empty one', () => {
    expect(redactor.text('hunter2-long, hunter2 and hunter2')).toBe(`${REDACTED}, ${REDACTED} and ${REDACTED}`);
    expect(new Redactor([]).text('plain')).toBe('plain');
  });

  it('hides secrets in the values and keys of a copy', () => {
    const given = { hunter2: ['x hunter2', { deep: 'hunter2' }], count: 2, none: null, url: 'amqp://u:p@h' };
    const copy = structuredClone(given);
    expect(redactor.value(given)).toEqual({
      [REDACTED]: [`x ${REDACTED}`, { deep: REDACTED }],
      count: 2,
      none: null,
      url: `amqp://${REDACTED}@h`,
    });
    expect(given).toEqual(copy);
  });

  it('hides secrets in an error, its properties, stack and causes, and keeps its class', () => {
    const cause = Object.assign(new TypeError('cause hunter2'), { config: { auth: 'hunter2' }, code: 'ECONNREFUSED' });
    const error = new HubError('UNAVAILABLE', 'refused hunter2', { cause: new Error('amqp://u:x@h', { cause }) });
    const safe = redactor.error(error) as HubError;
    expect(inspect(safe, { depth: 10, showHidden: true })).not.toMatch(/hunter2|u:x@/);
    expect(HubError.is(safe, 'UNAVAILABLE')).toBe(true);
    expect((safe.cause as Error).cause).toBeInstanceOf(TypeError);
    expect((safe.cause as Error).cause).toMatchObject({ code: 'ECONNREFUSED', config: { auth: REDACTED } });
    expect(error.message).toContain('hunter2');
  });

  it('finds secrets in whatever hangs on an error, and leaves nothing that keeps one unseen', () => {
    class Request {
      readonly body = Buffer.from('hunter2');
      readonly self: unknown = this;
      readonly auth = new Map([['hunter2', new Set(['hunter2'])]]);
    }
    const error = Object.assign(new AggregateError([new Error('hunter2')], 'hunter2'), {
      [Symbol('key')]: 'hunter2',
      request: new Request(),
      url: new URL('http://u:hunter2@h/'),
      inner: new HubError('TIMEOUT', 'hunter2'),
      again: () => 'hunter2',
      pin: 4711,
    });
    Object.defineProperty(error, 'hidden', { value: ['hunter2'] });
    Object.defineProperty(error, 'computed', { get: () => 'hunter2', enumerable: true });
    const safe = new Redactor(['hunter2', '4711']).error(error) as typeof error;
    expect(inspect(safe, { depth: null, showHidden: true, getters: true })).not.toMatch(/hunter2|4711/);
    expect(safe).toBeInstanceOf(AggregateError);
    expect(safe.errors[0]).toMatchObject({ message: REDACTED });
    expect(HubError.is(safe.inner, 'TIMEOUT')).toBe(true);
    expect(JSON.stringify(safe)).toContain('[circular]');
  });

  it('ends on errors of any depth and size', () => {
    const deep: { next?: object } = {};
    for (let index = 0, last = deep; index < 10_000; index += 1) last = last.next = {};
    const wide = Array.from({ length: 100_000 }, () => ({ text: 'hunter2' }));
    const safe = redactor.error(Object.assign(new Error('x'), { deep, wide }));
    expect(JSON.stringify(safe)).not.toContain('hunter2');
  });

  it('takes what is thrown that is no error, and causes that go round', () => {
    expect(redactor.error('hunter2')).toBe(REDACTED);
    expect(redactor.error(undefined)).toBeUndefined();
    const loop = new Error('hunter2');
    loop.cause = loop;
    expect(
      inspect(
        redactError(loop, (text) => redactor.text(text)),
        { depth: 20 },
      ),
    ).not.toContain('hunter2');
  });
});
