import { describe, expect, it } from 'vitest';
import { BearerTokens } from './credentials.js';

const tokens = new BearerTokens(['first-token-of-two', 'second-token-of-two']);

describe('bearer tokens', () => {
  it.each(['Bearer first-token-of-two', 'bearer second-token-of-two', 'BEARER   first-token-of-two'])(
    'accepts %j',
    (header) => {
      expect(tokens.accept(header)).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer first-token-of-tw',
    'Bearer first-token-of-two2',
    'Bearer first-token-of-two second-token-of-two',
    'Basic first-token-of-two',
    'first-token-of-two',
    ['Bearer first-token-of-two'],
  ])('refuses %j', (header) => {
    expect(tokens.accept(header)).toBe(false);
  });
});
