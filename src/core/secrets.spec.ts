import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { collectSecrets, markSecrets } from './secrets.js';

const secret = Joi.string().meta({ secret: true });

describe('collectSecrets', () => {
  it.each<[string, Joi.Schema, unknown, string[]]>([
    ['a key', Joi.object({ a: secret, b: Joi.string() }), { a: 's1', b: 'open' }, ['s1']],
    ['a key in the other spelling', Joi.object({ apiKey: secret }), { api_key: 's1' }, ['s1']],
    ['a nested key', Joi.object({ a: Joi.object({ b: secret }) }), { a: { b: 's1' } }, ['s1']],
    ['list items', Joi.object({ a: Joi.array().items(secret) }), { a: ['s1', 's2'] }, ['s1', 's2']],
    ['objects in lists', Joi.array().items(Joi.object({ a: secret })), [{ a: 's1' }, { a: 's2' }], ['s1', 's2']],
    ['all below a marked block', Joi.object({ a: Joi.object().meta({ secret: true }) }), { a: { x: ['s1'] } }, ['s1']],
    ['free maps', Joi.object().pattern(Joi.string(), secret), { x: 's1' }, ['s1']],
    ['alternatives', Joi.alternatives(Joi.number(), Joi.object({ a: secret })), { a: 's1' }, ['s1']],
    ['alternatives of a key', Joi.object({ a: Joi.alternatives(Joi.number(), secret) }), { a: 's1' }, ['s1']],
    [
      'a condition',
      Joi.object({ t: Joi.string(), a: Joi.when('t', { is: 'x', then: secret }) }),
      { t: 'x', a: 's1' },
      ['s1'],
    ],
    ['numbers', Joi.object({ pin: Joi.number().meta({ secret: true }) }), { pin: 1234 }, ['1234']],
    [
      'bytes as their text',
      Joi.object({ key: Joi.binary().meta({ secret: true }), open: Joi.binary() }),
      { key: Buffer.from('s1'), open: Buffer.from('shown') },
      ['s1'],
    ],
    ['a view of bytes', Joi.any().meta({ secret: true }), new Uint8Array(Buffer.from('xs1y')).subarray(1, 3), ['s1']],
    ['no empty text', Joi.object({ a: secret.allow('') }), { a: '' }, []],
    ['nothing', Joi.object({ a: secret }), undefined, []],
  ])('finds %s', (_name, schema, value, expected) => {
    expect(collectSecrets(schema, value)).toEqual(expected);
  });

  it('adds the form that a secret has in a URL', () => {
    expect(collectSecrets(secret, 'a/b@c')).toEqual(['a/b@c', 'a%2Fb%40c']);
  });

  it('adds the forms that a secret has in JSON and line by line', () => {
    const pem = '-----BEGIN KEY-----\nsecret line\nend';
    const found = collectSecrets(secret, pem);
    expect(found).toEqual(
      expect.arrayContaining([pem, pem.replaceAll('\n', '\\n'), '-----BEGIN KEY-----', 'secret line']),
    );
    expect(found).not.toContain('end');
  });

  it.each([
    ['amqp://u:p%40ss@h', ['p%40ss', 'p@ss']],
    ['redis://:pw@h', ['pw']],
    ['amqp://u:p@ss@h', ['p@ss', 'p%40ss']],
    ['amqp://u:p/x@h', ['p/x']],
    ['http://h/x', []],
    ['http://u@h/x', []],
  ])('finds the password in %s, in its forms', (url, expected) => {
    const found = collectSecrets(Joi.object({ urls: Joi.array() }), { urls: [url] });
    expect(found.sort()).toEqual(expected.sort());
  });

  it('finds what was marked, anywhere below', () => {
    const config = { a: { b: 'x' } };
    markSecrets(config.a, ['from-file']);
    markSecrets(config.a, ['another']);
    expect(collectSecrets(Joi.object(), config)).toEqual(['from-file', 'another']);
  });

  it('ends on a value that holds itself', () => {
    const value: Record<string, unknown> = { a: 's1' };
    value['self'] = value;
    expect(collectSecrets(Joi.object({ a: secret }), value)).toEqual(['s1']);
  });
});
