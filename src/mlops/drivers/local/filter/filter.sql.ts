import { invalid } from '../../../mlops.validation.js';
import type { SqlValue } from '../local.database.js';
import { unreadable } from './filter.lexer.js';
import { parseFilter, parseOrder, type Comparison, type Entity, type Field, type Order } from './filter.parser.js';

/** Most comparisons of a filter and most keys of an order: SQLite nests expressions 1000 deep at most. */
const MAX_PARTS = 500;
/** Most values of a filter: SQLite binds 32 766 at most, those of the whole statement included. https://sqlite.org/limits.html */
const MAX_VALUES = 30_000;

/** A column that filters and orders can name. */
export interface Attribute {
  /** SQL of the value. */
  sql: string;
  numeric?: boolean;
  /** Only in an order. */
  orderOnly?: boolean;
}

/** A table of keys and values beside the searched one. */
export interface Related {
  /** SQL that selects from the table the rows of the searched row, e.g. `FROM tags t WHERE t.run_uuid = r.run_uuid`. */
  from: string;
  /** SQL of the key; without it `keys` says which columns can be named. */
  key?: string;
  /** SQL of the value. */
  value?: string;
  keys?: Record<string, string>;
  numeric?: boolean;
  /** SQL that is 1 for values that sort behind all others. */
  last?: string;
}

/** What one kind of search can name. */
export interface SearchSchema {
  attributes: Record<string, Attribute>;
  related: Partial<Record<Exclude<Entity, 'attribute'>, Related>>;
  /** SQL of the order that ends every order, so that it is total. */
  defaultOrder: string;
}

/** A piece of SQL with the values of its placeholders. */
export interface Sql {
  sql: string;
  params: SqlValue[];
}

/** The WHERE condition of a filter; `1` for an empty one. `INVALID_ARGUMENT` with the position of what is wrong, or when it is too large. */
export function filterSql(filter: string, schema: SearchSchema): Sql {
  const comparisons = parseFilter(filter);
  if (comparisons.length > MAX_PARTS) {
    throw invalid(
      `a filter may have ${MAX_PARTS} comparisons, not ${comparisons.length}: use IN, or several searches.`,
    );
  }
  const parts = comparisons.map((comparison) => condition(filter, comparison, schema));
  const params = parts.flatMap((part) => part.params);
  if (params.length > MAX_VALUES) {
    throw invalid(`a filter may have ${MAX_VALUES} keys and values, not ${params.length}: use several searches.`);
  }
  return { sql: ['1', ...parts.map((part) => part.sql)].join(' AND '), params };
}

/** The ORDER BY list of orders. `INVALID_ARGUMENT` with the position of what is wrong. */
export function orderSql(orders: readonly string[], schema: SearchSchema): Sql {
  if (orders.length > MAX_PARTS) throw invalid(`an order may have ${MAX_PARTS} keys, not ${orders.length}.`);
  const parts = orders.map((order) => sortKey(order, parseOrder(order), schema));
  return {
    sql: [...parts.map((part) => part.sql), schema.defaultOrder].join(', '),
    params: parts.flatMap((part) => part.params),
  };
}

function condition(filter: string, comparison: Comparison, schema: SearchSchema): Sql {
  const { entity, key, position } = comparison;
  if (entity === 'attribute') {
    const attribute = attributeOf(filter, comparison, schema);
    if (attribute.orderOnly) throw unreadable(filter, position, `${key} can be ordered by, but not filtered`);
    return compare(filter, comparison, attribute.sql, attribute.numeric ?? false);
  }
  const related = relatedOf(filter, comparison, schema);
  if (related.keys !== undefined) {
    const column = Object.hasOwn(related.keys, key) ? related.keys[key] : undefined;
    if (column === undefined)
      throw unreadable(filter, position, `expected one of ${Object.keys(related.keys).join(', ')}`);
    const { sql, params } = compare(filter, comparison, column, false);
    return { sql: `EXISTS (SELECT 1 ${related.from} AND ${sql})`, params };
  }
  const { sql, params } = compare(filter, comparison, related.value ?? '', related.numeric ?? false);
  return { sql: `EXISTS (SELECT 1 ${related.from} AND ${related.key} = ? AND ${sql})`, params: [key, ...params] };
}

function compare(filter: string, { operator, value, key, position }: Comparison, sql: string, numeric: boolean): Sql {
  const values = Array.isArray(value) ? value : [value];
  for (const item of values) {
    if (typeof item === (numeric ? 'number' : 'string')) continue;
    throw unreadable(filter, position, `${key} has to be compared with a ${numeric ? 'number' : 'string in quotes'}`);
  }
  const text = ['LIKE', 'ILIKE', 'IN', 'NOT IN'].includes(operator);
  if (numeric ? text : !text && operator !== '=' && operator !== '!=') {
    throw unreadable(filter, position, `${key} cannot be compared by ${operator}`);
  }
  if (operator === 'ILIKE') return { sql: `lower(${sql}) LIKE lower(?)`, params: values };
  if (!Array.isArray(value)) return { sql: `${sql} ${operator} ?`, params: values };
  return { sql: `${sql} ${operator} (${values.map(() => '?').join(', ')})`, params: values };
}

function sortKey(text: string, order: Order, schema: SearchSchema): Sql {
  const { entity, key, descending } = order;
  const direction = descending ? 'DESC' : 'ASC';
  if (entity === 'attribute') {
    const { sql } = attributeOf(text, order, schema);
    // What has no value comes last in both directions.
    return { sql: `${sql} IS NULL, ${sql} ${direction}`, params: [] };
  }
  const related = relatedOf(text, order, schema);
  if (related.key === undefined) throw unreadable(text, order.position, `${entity}s cannot be ordered by`);
  const select = (column: string): string => `(SELECT ${column} ${related.from} AND ${related.key} = ?)`;
  const value = select(related.value ?? '');
  const rank = `coalesce(${select(related.last ?? '0')}, 2)`;
  return { sql: `${rank}, ${value} ${direction}`, params: [key, key] };
}

function attributeOf(text: string, { key, position }: Field, schema: SearchSchema): Attribute {
  const attribute = Object.hasOwn(schema.attributes, key) ? schema.attributes[key] : undefined;
  if (attribute !== undefined) return attribute;
  throw unreadable(
    text,
    position,
    `there is no attribute ${key}; there are ${Object.keys(schema.attributes).join(', ')}`,
  );
}

function relatedOf(text: string, { entity, position }: Field, schema: SearchSchema): Related {
  const related = entity === 'attribute' ? undefined : schema.related[entity];
  if (related !== undefined) return related;
  throw unreadable(text, position, `what is searched has no ${entity}s`);
}
