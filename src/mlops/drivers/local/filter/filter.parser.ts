import { invalid } from '../../../mlops.validation.js';
import { tokenize, unreadable, type Token } from './filter.lexer.js';

/** What the left side of a comparison names, or an order is by. */
export interface Field {
  /** `attribute` when nothing stands before the key. */
  entity: Entity;
  key: string;
  /** Offset in the text, from 0. */
  position: number;
}

/** One comparison of a filter. */
export interface Comparison extends Field {
  operator: Operator;
  /** A list for IN and NOT IN. */
  value: string | number | (string | number)[];
}

/** One key of an order. */
export interface Order extends Field {
  descending: boolean;
}

/** What a key belongs to. */
export type Entity = 'attribute' | 'metric' | 'param' | 'tag' | 'dataset';
/** The comparison operators of MLflow's filters. */
export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | 'LIKE' | 'ILIKE' | 'IN' | 'NOT IN';

const ENTITIES: Record<string, Entity> = {
  attribute: 'attribute',
  attributes: 'attribute',
  attr: 'attribute',
  run: 'attribute',
  metric: 'metric',
  metrics: 'metric',
  param: 'param',
  params: 'param',
  parameter: 'param',
  parameters: 'param',
  tag: 'tag',
  tags: 'tag',
  dataset: 'dataset',
  datasets: 'dataset',
};

/** Reads a filter: comparisons joined by AND. `INVALID_ARGUMENT` with the position of what cannot be read. */
export function parseFilter(filter: string): Comparison[] {
  return new Parser(filter).filter();
}

/** Reads an order such as `metrics.accuracy DESC`. `INVALID_ARGUMENT` with the position of what cannot be read. */
export function parseOrder(order: string): Order {
  if (typeof order !== 'string')
    throw invalid(`an order has to be a string such as "start_time DESC", not ${typeof order}.`);
  return new Parser(order).order();
}

class Parser {
  readonly #tokens: Token[];
  #next = 0;

  constructor(private readonly text: string) {
    this.#tokens = tokenize(text);
  }

  filter(): Comparison[] {
    const comparisons: Comparison[] = [];
    if (this.#peek().kind === 'end') return comparisons;
    for (;;) {
      comparisons.push(this.#comparison());
      if (this.#peek().kind === 'end') return comparisons;
      if (!this.#keyword('AND')) this.#fail('expected AND or the end; other connections are not part of the language');
    }
  }

  order(): Order {
    const field = this.#field();
    const descending = this.#keyword('DESC');
    if (!descending) this.#keyword('ASC');
    if (this.#peek().kind !== 'end') this.#fail('expected ASC, DESC or the end');
    return { ...field, descending };
  }

  #comparison(): Comparison {
    const field = this.#field();
    const operator = this.#operator();
    const list = operator === 'IN' || operator === 'NOT IN';
    return { ...field, operator, value: list ? this.#list() : this.#value() };
  }

  #field(): Field {
    const first = this.#take();
    const { position } = first;
    if (first.kind !== 'word' && first.kind !== 'quoted') this.#fail('expected a key', first);
    if (!this.#symbol('.')) return { entity: 'attribute', key: first.text, position };
    const entity = Object.hasOwn(ENTITIES, first.text.toLowerCase()) ? ENTITIES[first.text.toLowerCase()] : undefined;
    if (entity === undefined) {
      return this.#fail('expected attributes, metrics, params, tags or datasets before the dot', first);
    }
    const parts: string[] = [];
    do {
      const part = this.#take();
      if (part.kind !== 'word' && part.kind !== 'quoted') this.#fail('expected a key', part);
      parts.push(part.text);
    } while (this.#symbol('.'));
    return { entity, key: parts.join('.'), position };
  }

  #operator(): Operator {
    const token = this.#take();
    if (token.kind === 'operator') return (token.text === '<>' ? '!=' : token.text) as Operator;
    const word = token.kind === 'word' ? token.text.toUpperCase() : '';
    if (word === 'LIKE' || word === 'ILIKE' || word === 'IN') return word;
    if (word === 'NOT' && this.#keyword('IN')) return 'NOT IN';
    return this.#fail('expected one of = != > >= < <= LIKE ILIKE IN NOT IN', token);
  }

  #list(): (string | number)[] {
    if (!this.#symbol('(')) this.#fail('expected (');
    const values = [this.#value()];
    while (this.#symbol(',')) values.push(this.#value());
    if (!this.#symbol(')')) this.#fail('expected , or )');
    return values;
  }

  #value(): string | number {
    const token = this.#take();
    if (token.kind === 'string') return token.text;
    if (token.kind === 'number') return Number(token.text);
    return this.#fail('expected a number or a string in quotes', token);
  }

  #keyword(word: string): boolean {
    const token = this.#peek();
    const found = token.kind === 'word' && token.text.toUpperCase() === word;
    if (found) this.#next += 1;
    return found;
  }

  #symbol(symbol: string): boolean {
    const token = this.#peek();
    const found = token.kind === 'symbol' && token.text === symbol;
    if (found) this.#next += 1;
    return found;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', position: this.text.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #fail(reason: string, token = this.#peek()): never {
    throw unreadable(this.text, token.position, reason);
  }
}
