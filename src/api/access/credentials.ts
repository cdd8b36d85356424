import { createHash, timingSafeEqual } from 'node:crypto';

/** Compares bearer tokens without telling by time how much of one was right. */
export class BearerTokens {
  readonly #digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#digests = tokens.map(digest);
  }

  /** Whether the value of an `Authorization` header (RFC 6750, section 2.1) holds one of the tokens. */
  accept(header: unknown): boolean {
    const [, token] = typeof header === 'string' ? (/^bearer +([\x21-\x7e]+)$/i.exec(header) ?? []) : [];
    if (token === undefined) return false;
    const given = digest(token);
    // Every one is compared, so that time does not tell which.
    return this.#digests.map((known) => timingSafeEqual(known, given)).includes(true);
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
