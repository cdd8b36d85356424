import type { JsonObject, JsonValue } from '../../../../core/json.js';

/** What amqplib can carry in a table beside JSON: a number with the type that it is written as. */
export type AmqpField = JsonValue | { '!': 'double'; value: number } | AmqpField[] | { [name: string]: AmqpField };

/** From here on amqplib takes every number for a whole one. */
const WHOLE_FROM = 2 ** 50;
const LEAST_INT64 = -(2 ** 63);

/** Headers as amqplib takes them: a number that it would fail at says that it is a double. */
export function amqpHeaders(headers: JsonObject): { [name: string]: AmqpField } {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, field(value)]));
}

function field(value: JsonValue): AmqpField {
  if (typeof value === 'number') return isMisread(value) ? { '!': 'double', value } : value;
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? value.map(field) : amqpHeaders(value);
}

function isMisread(value: number): boolean {
  return value < LEAST_INT64 || (Math.abs(value) >= WHOLE_FROM && !Number.isInteger(value));
}
