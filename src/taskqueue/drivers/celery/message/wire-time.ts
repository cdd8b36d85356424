/** First and last point in time that are sent, in ms since 1970: Python ends with the year 9999, in every time zone. */
export const WIRE_TIMES = { first: 0, last: Date.UTC(9999, 11, 30) } as const;

/**
 * A point in time as ISO 8601 with the offset of a time zone, as Celery's headers `eta` and `expires` have it.
 * @param ms since 1970, within {@link WIRE_TIMES}
 * @param timezone an IANA name; `UTC` gives `Z`
 */
export function wireTime(ms: number, timezone: string): string {
  if (timezone === 'UTC') return new Date(ms).toISOString();
  const offset = offsetMinutes(ms, timezone);
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
  const minutes = Math.abs(offset);
  return `${local}${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/** ms since 1970 of what a worker has written; without an offset it is UTC (Celery up to 5.3). `null` for anything else. */
export function readWireTime(text: unknown): number | null {
  if (typeof text !== 'string') return null;
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
  return Number.isNaN(ms) ? null : ms;
}

function offsetMinutes(ms: number, timezone: string): number {
  const format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign = '+', hours = '0', minutes = '0'] = /^GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
