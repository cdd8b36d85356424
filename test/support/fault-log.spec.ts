import { describe, expect, it } from 'vitest';
import { FaultLog } from './fault-log.js';

describe('a log of faults', () => {
  const faults = new FaultLog();
  Object.assign(faults.begin('killed', ['one']), { began: 10_000, over: 12_000 });
  Object.assign(faults.begin('frozen', ['one']), { began: 12_500, over: 20_000 });
  const kind = (writer: string, began: number, ended?: number): string | undefined =>
    faults.excuse(writer, began, ended)?.kind;

  it('excuses those whom a fault hits, while it lasts and a second before and after', () => {
    expect(kind('one', 9_500, 9_600)).toBe('killed');
    expect(kind('one', 20_900, 20_950)).toBe('frozen');
    expect(kind('one', 8_000)).toBe('killed');
    expect(kind('one', 8_000, 8_900)).toBeUndefined();
    expect(kind('one', 21_100, 21_200)).toBeUndefined();
    expect(kind('other', 11_000, 11_100)).toBeUndefined();
  });

  it('names the one in which it happened, rather than the one just before', () => {
    expect(kind('one', 12_600, 18_000)).toBe('frozen');
    expect(kind('one', 12_600)).toBe('frozen');
    expect(kind('one', 11_900, 12_000)).toBe('killed');
  });
});
