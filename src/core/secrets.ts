import type { Description, Schema } from 'joi';

/** The string values in `value` at every place that `schema` marks with `.meta({ secret: true })`, and URL passwords. */
export function collectSecrets(schema: Schema, value: unknown): string[] {
  const secrets: string[] = [];
  collect(schema.describe(), value, false, secrets);
  return secrets;
}

interface Described extends Description {
  metas?: { secret?: boolean }[];
  keys?: Record<string, Described>;
  items?: Described[];
  patterns?: { rule: Described }[];
  matches?: { schema?: Described }[];
}

function collect(schema: Described | undefined, value: unknown, inherited: boolean, secrets: string[]): void {
  const secret = inherited || (schema?.metas?.some((meta) => meta.secret === true) ?? false);
  if (typeof value === 'string') {
    if (secret) secrets.push(value);
    secrets.push(...urlPasswords(value));
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const below = schema?.matches?.map((match) => match.schema) ?? [];
  for (const [key, item] of Object.entries(value)) {
    const found =
      schema?.keys?.[key] ??
      schema?.items?.[0] ??
      schema?.patterns?.[0]?.rule ??
      below.find((candidate) => candidate?.keys?.[key] !== undefined)?.keys?.[key];
    collect(found, item, secret, secrets);
  }
}

function urlPasswords(text: string): string[] {
  if (!text.includes('://') || !URL.canParse(text)) return [];
  const { password } = new URL(text);
  return password === '' ? [] : [password, decodeURIComponent(password)];
}
