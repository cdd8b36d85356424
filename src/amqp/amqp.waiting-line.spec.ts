import { describe, expect, it } from 'vitest';
import { HubError } from '../core/errors.js';
import { PendingMessage } from './amqp.pending-message.js';
import { WaitingLine } from './amqp.waiting-line.js';

const aborted = new HubError('ABORTED', 'given up');

function message(number: number): PendingMessage {
  const content = { exchange: '', routingKey: String(number), content: Buffer.alloc(0), properties: {} };
  const nothing = (): void => undefined;
  return new PendingMessage(content, number, nothing, nothing, nothing);
}

const keys = (messages: Iterable<PendingMessage>): number[] => Array.from(messages, ({ deadline }) => deadline);

describe('the waiting line', () => {
  it('gives them back in order, put-back ones first and settled ones not', () => {
    const line = new WaitingLine();
    const all = Array.from({ length: 5_000 }, (_, number) => message(number));
    for (const each of all) line.push(each);
    const taken = Array.from({ length: 3_000 }, () => line.shift()).filter((each) => each !== undefined);
    expect(keys(taken)).toEqual(all.slice(0, 3_000).map((_, number) => number));
    all[2_001]?.reject(aborted);
    all[4_000]?.reject(aborted);
    line.putBack(taken.slice(2_000));
    const rest: PendingMessage[] = [];
    for (let next = line.shift(); next !== undefined; next = line.shift()) rest.push(next);
    const expected = all
      .map((_, number) => number)
      .filter((number) => number >= 2_000 && ![2_001, 4_000].includes(number));
    expect(keys(rest)).toEqual(expected);
    expect(line.size).toBe(0);
  });

  it('lets go of settled ones', () => {
    const line = new WaitingLine();
    const all = Array.from({ length: 10 }, (_, number) => message(number));
    for (const each of all) line.push(each);
    line.shift();
    for (const each of all.slice(0, 9)) each.reject(aborted);
    line.prune();
    expect(line.size).toBe(1);
    expect(keys(line)).toEqual([9]);
  });
});
