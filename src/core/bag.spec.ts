import { describe, expect, it } from 'vitest';
import { Bag } from './bag.js';

describe('Bag', () => {
  it('holds what was put in and not taken out', () => {
    const bag = new Bag<string>();
    for (const item of ['a', 'b', 'c', 'd']) bag.add(item);
    bag.delete('b');
    bag.delete('d');
    bag.delete('never');
    expect([...bag].sort()).toEqual(['a', 'c']);
    expect(bag.size).toBe(2);
    bag.clear();
    expect([...bag]).toEqual([]);
  });

  it('goes through what it held at the start, whatever is taken out meanwhile', () => {
    const bag = new Bag<number>();
    for (const item of [1, 2, 3]) bag.add(item);
    const seen: number[] = [];
    for (const item of bag) {
      seen.push(item);
      bag.delete(item);
    }
    expect(seen.sort()).toEqual([1, 2, 3]);
    expect(bag.size).toBe(0);
  });
});
