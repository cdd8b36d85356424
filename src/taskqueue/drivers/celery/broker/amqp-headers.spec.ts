import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { amqpHeaders } from './amqp-headers.js';

const require = createRequire(import.meta.url);
/** amqplib's own writer and reader of tables, which it does not export. */
const { encodeTable, decodeFields } = require(join(dirname(require.resolve('amqplib')), 'lib', 'codec.js')) as {
  encodeTable(buffer: Buffer, table: object, offset: number): number;
  decodeFields(slice: Buffer): Record<string, unknown>;
};

function roundTrip(table: object): Record<string, unknown> {
  const buffer = Buffer.alloc(4_096);
  const size = encodeTable(buffer, table, 0);
  return decodeFields(buffer.subarray(4, size));
}

describe('amqpHeaders', () => {
  it.each([
    0,
    1,
    -1,
    0.5,
    127,
    -129,
    2 ** 31,
    2 ** 50 + 0.5,
    -(2 ** 51) - 0.5,
    2 ** 53,
    2 ** 64,
    -(2 ** 63),
    -1e21,
    1e308,
    -1e308,
  ])('%d arrives as it is', (number) => {
    const table = { number, list: [number, [number]], inner: { number } };
    expect(roundTrip(amqpHeaders(table))).toEqual(table);
  });

  it.each([-1e21, 2 ** 50 + 0.5])('is needed: amqplib alone fails at %d', (number) => {
    expect(() => roundTrip({ number })).toThrow(RangeError);
  });

  it('leaves everything else', () => {
    const headers = { text: 'a', none: null, yes: true, list: ['a', null, false], inner: { empty: {} } };
    expect(amqpHeaders(headers)).toEqual(headers);
  });
});
