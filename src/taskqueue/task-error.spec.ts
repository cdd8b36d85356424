import { describe, expect, it } from 'vitest';
import { HubError } from '../core/errors.js';
import { taskErrorOf } from './task-error.js';

const throwing = (): never => {
  throw new Error('a getter that throws');
};
const withProperty = (key: string, value: unknown): Error => Object.assign(new TypeError('boom'), { [key]: value });

describe('taskErrorOf', () => {
  it('keeps class or code, message and stack, without credentials', () => {
    const error = taskErrorOf(new TypeError('no amqp://me:hunter2@host'));
    expect(error).toMatchObject({ type: 'TypeError', message: 'no amqp://[redacted]@host' });
    expect(error.stack).toContain('task-error.spec');
    expect(error.stack).not.toContain('hunter2');
    expect(taskErrorOf(new HubError('TIMEOUT', 'late'))).toMatchObject({ type: 'TIMEOUT', message: 'late' });
  });

  it.each<[string, unknown, object]>([
    ['a message that is a list', withProperty('message', ['a', 'b']), { type: 'TypeError', message: 'a,b' }],
    ['a stack that is a list', withProperty('stack', ['at a', 'at b']), { message: 'boom', stack: 'at a,at b' }],
    ['a name that is a number', withProperty('name', 7), { type: '7', message: 'boom' }],
    ['a name that is no text at all', withProperty('name', Object.create(null)), { type: 'Error', message: 'boom' }],
    ['a stack that throws', Object.defineProperty(new Error('boom'), 'stack', { get: throwing }), { message: 'boom' }],
    ['a message that throws', Object.defineProperty(new Error(), 'message', { get: throwing }), { type: 'Error' }],
    ['an object without prototype', Object.create(null), { type: 'object', message: '{}' }],
    ['an object that throws', { toJSON: throwing }, { type: 'object', message: 'a value that cannot be shown' }],
    ['a proxy that throws', new Proxy({}, { has: throwing, getPrototypeOf: throwing }), { type: 'object' }],
    ['null', null, { type: 'null', message: 'null' }],
    ['a text', 'boom', { type: 'string', message: 'boom' }],
  ])('describes %s', (_what, thrown, expected) => {
    const error = taskErrorOf(thrown);
    expect(error).toMatchObject(expected);
    expect(typeof error.message).toBe('string');
    expect(JSON.parse(JSON.stringify(error))).toEqual(error);
  });
});
