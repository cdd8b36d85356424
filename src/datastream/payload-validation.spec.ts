import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import type { StandardSchemaIssue, StandardSchemaV1 } from '../core/standard-schema.js';
import type { Message, Payload } from './datastream.types.js';
import { runHandler } from './handler-outcome.js';
import { checkSchema, validatePayload, validatePayloads } from './payload-validation.js';
import { RejectMessage } from './reject-message.js';

function message(payload: Payload): Message {
  const rest = { headers: {}, correlationId: null, timestamp: 0, attempt: 1, redelivered: false };
  return { messageId: `m-${String(payload)}`, queue: 'orders', payload, ...rest };
}

function failing(...issues: StandardSchemaIssue[]): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } };
}

const order = Joi.object<{ id: string; lines: { amount: number }[] }>({
  id: Joi.string().required(),
  lines: Joi.array().items(Joi.object({ amount: Joi.number().required() })),
});

describe('validatePayloads', () => {
  it('works with a schema of a library: converts, and says where and why a payload does not fit', async () => {
    const fits = message({ id: 'a', lines: [{ amount: '7' }] });
    const misfit = message({ lines: [{ amount: 1 }, { amount: 'many' }] });
    const [first, second] = await validatePayloads(order, [fits, misfit]);
    expect(first).toEqual({ kind: 'valid', message: { ...fits, payload: { id: 'a', lines: [{ amount: 7 }] } } });
    expect(fits.payload).toEqual({ id: 'a', lines: [{ amount: '7' }] });
    expect(second).toEqual({
      kind: 'reject',
      detail: expect.stringMatching(/^the payload does not fit its schema: .*id.*required/),
    });
  });

  it('takes schemas that are functions', async () => {
    const callable = Object.assign(() => undefined, failing({ message: 'no' }));
    expect(checkSchema(callable, {})).toBe(callable);
    expect(await validatePayload(callable, message(1))).toMatchObject({ kind: 'reject' });
  });

  it('a detail has no credentials of URLs, and does not end in half a character', async () => {
    const secret = failing({ message: 'cannot use amqp://user:hunter2@host/', path: [Symbol('s'), { key: 0 }] });
    const check = await validatePayload(secret, message(1));
    expect(check).toMatchObject({ kind: 'reject', detail: expect.stringContaining('Symbol(s).0: cannot use amqp://') });
    expect(JSON.stringify(check)).not.toContain('hunter2');
    for (const padding of ['', 'x']) {
      const long = await validatePayload(failing({ message: padding + '😀'.repeat(400) }), message(1));
      expect(long).toMatchObject({ kind: 'reject', detail: expect.stringMatching(/^.{1,499}…$/su) });
      // Throws for half a character.
      expect(() => encodeURIComponent((long as { detail: string }).detail)).not.toThrow();
    }
  });

  it('a schema that answers nothing has failed', async () => {
    const silent = { '~standard': { version: 1, vendor: 'test', validate: () => undefined } };
    expect(await validatePayload(silent as never, message(1))).toMatchObject({ kind: 'fail' });
  });
});

describe('runHandler', () => {
  it('a delivery that cannot be read has failed, or is rejected; the others are handed over', async () => {
    const seen: Payload[] = [];
    const toMessage = (held: number): Message => {
      if (held === 1) throw new Error('unreadable');
      if (held === 2) throw new RejectMessage('no JSON');
      return message(held);
    };
    const ended = await runHandler({
      held: [0, 1, 2],
      toMessage,
      schema: undefined,
      handle: (messages) => void seen.push(...messages.splice(0).map(({ payload }) => payload)),
    });
    expect(seen).toEqual([0]);
    expect(ended.map(({ held, outcome }) => [held, outcome])).toEqual([
      [0, { kind: 'ack' }],
      [1, { kind: 'fail', error: new Error('unreadable') }],
      [2, { kind: 'reject', detail: 'no JSON' }],
    ]);
  });
});
