import { HubError } from '../../../../core/errors.js';

/** A piece of a filter. */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'operator' | 'symbol' | 'end';
  /** The text; of strings and quoted keys what stands between the quotes. */
  text: string;
  /** Offset in the filter, from 0. */
  position: number;
}

const PATTERNS: [Token['kind'] | 'space' | 'double', RegExp][] = [
  ['space', /\s+/y],
  ['quoted', /`([^`]*)`/y],
  ['double', /"((?:[^"]|"")*)"/y],
  ['string', /'((?:[^']|'')*)'/y],
  ['operator', /!=|<>|>=|<=|=|>|</y],
  ['number', /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_])/uy],
  // Metric names may hold "/", ":" and "-", and MLflow reads them unquoted.
  ['word', /[\p{L}_][\p{L}\p{N}_\-/:]*/uy],
  ['symbol', /[.,()]/y],
];

/** Cuts a filter into tokens. `INVALID_ARGUMENT` with the position of what cannot be read. */
export function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < filter.length) {
    const token = tokenAt(filter, position, tokens.at(-1));
    if (token === undefined) throw unreadable(filter, position, 'unexpected character');
    if (token.token !== undefined) tokens.push(token.token);
    position = token.next;
  }
  return [...tokens, { kind: 'end', text: '', position }];
}

/** The `INVALID_ARGUMENT` error of a filter or order that cannot be read. */
export function unreadable(text: string, position: number, reason: string): HubError {
  const near = text.slice(position, position + 20);
  const found = near === '' ? 'the end' : JSON.stringify(near);
  return new HubError(
    'INVALID_ARGUMENT',
    `cannot read ${JSON.stringify(text)} at position ${position} (${found}): ${reason}.`,
    {
      details: { position },
    },
  );
}

function tokenAt(filter: string, position: number, before?: Token): { token?: Token; next: number } | undefined {
  for (const [kind, pattern] of PATTERNS) {
    // After a dot a key follows, which may begin with a digit.
    if (kind === 'number' && before?.text === '.' && before.kind === 'symbol') continue;
    const rule = kind === 'word' && before?.kind === 'symbol' && before.text === '.' ? KEY_PART : pattern;
    rule.lastIndex = position;
    const match = rule.exec(filter);
    if (match === null) continue;
    const next = rule.lastIndex;
    if (kind === 'space') return { next };
    // Double quotes hold a key before the comparison and a string after it.
    const value =
      before?.kind === 'operator' ||
      before?.text === ',' ||
      before?.text === '(' ||
      /^i?like$/i.test(before?.text ?? '');
    const real = kind === 'double' ? (value ? 'string' : 'quoted') : kind;
    const quote = kind === 'double' ? '"' : "'";
    const text = (match[1] ?? match[0]).replaceAll(quote + quote, quote);
    return { token: { kind: real, text, position }, next };
  }
  return undefined;
}

const KEY_PART = /[\p{L}\p{N}_\-/:]+/uy;
