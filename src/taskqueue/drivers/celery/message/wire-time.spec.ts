import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testSeed } from '../../../../../test/durability/seeded-random.js';
import { readWireTime, WIRE_TIMES, wireTime } from './wire-time.js';

describe('wireTime', () => {
  const winter = Date.UTC(2026, 0, 15, 12, 30, 15, 250);
  const summer = Date.UTC(2026, 6, 15, 12, 30, 15, 250);

  it.each([
    ['UTC', winter, '2026-01-15T12:30:15.250Z'],
    ['Europe/Berlin', winter, '2026-01-15T13:30:15.250+01:00'],
    ['Europe/Berlin', summer, '2026-07-15T14:30:15.250+02:00'],
    ['America/St_Johns', winter, '2026-01-15T09:00:15.250-03:30'],
    ['Asia/Kathmandu', winter, '2026-01-15T18:15:15.250+05:45'],
    ['Etc/GMT', winter, '2026-01-15T12:30:15.250+00:00'],
    ['Pacific/Kiritimati', WIRE_TIMES.last, '9999-12-30T14:00:00.000+14:00'],
    ['America/New_York', WIRE_TIMES.first, '1969-12-31T19:00:00.000-05:00'],
  ])('in %s', (timezone, ms, text) => {
    expect(wireTime(ms, timezone)).toBe(text);
  });

  it('is the same point in time in every zone, and one that Python can hold', () => {
    const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
    const times = fc.integer({ min: WIRE_TIMES.first, max: WIRE_TIMES.last });
    fc.assert(
      fc.property(times, zones, (ms, timezone) => {
        const text = wireTime(ms, timezone);
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$/);
        expect(readWireTime(text)).toBe(ms);
      }),
      { seed: testSeed() },
    );
  });
});

describe('readWireTime', () => {
  it.each([
    ['2026-11-28T08:43:17.199512+00:00', Date.UTC(2026, 10, 28, 8, 43, 17, 199)],
    ['2026-11-28T10:43:17.199+02:00', Date.UTC(2026, 10, 28, 8, 43, 17, 199)],
    ['2026-11-28T08:43:17.199Z', Date.UTC(2026, 10, 28, 8, 43, 17, 199)],
    // Up to Celery 5.3.
    ['2026-11-28T08:43:17.199512', Date.UTC(2026, 10, 28, 8, 43, 17, 199)],
  ])('reads %s', (text, ms) => {
    expect(readWireTime(text)).toBe(ms);
  });

  it.each([null, undefined, 5, '', 'soon', '2026-13-01T00:00:00', {}, []])('%j is no time', (value) => {
    expect(readWireTime(value)).toBeNull();
  });
});
