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
