/** One secret per kind of place, each with characters that URLs and regular expressions treat specially. */
export const CANARIES = {
  password: 'canary-password-7f$1(x',
  pin: 31415926,
  url: 'canary-url-p4ss',
  urlEncoded: 'canary%2Furl%40p4ss',
  token: 'canary-token-a/b@c',
  apiKey: 'canary-api-key',
  certificate: '-----BEGIN canary-certificate-----\nline two of it',
  account: 'canary-account',
  header: 'canary-header',
  credentials: 'canary-credentials',
  key: 'canary-key',
  file: 'canary-from-a-file',
  env: 'canary-from-the-environment',
  plainUrl: 'canary-plain-url',
} as const;

/** The `config` block with a canary in every field. `${…}` is for a file; in an object it is a text as it is. */
export function vaultConfig(failAt: readonly string[], secretFile: string): Record<string, unknown> {
  return {
    fail_at: failAt,
    password: CANARIES.password,
    pin: CANARIES.pin,
    url: `amqp://user:${CANARIES.urlEncoded}@127.0.0.1/vhost`,
    tokens: [CANARIES.token, '${HUB_TEST_CANARY}'],
    auth: { user: 'someone', api_key: CANARIES.apiKey, nested: { certificate: CANARIES.certificate } },
    accounts: [{ name: 'one', secret: CANARIES.account }],
    headers: { authorization: CANARIES.header, 'x-file': `\${file:${secretFile}}` },
    credentials: { any: [{ thing: CANARIES.credentials }] },
    mode: 'signed',
    key: CANARIES.key,
    plain_urls: [`redis://:${CANARIES.plainUrl}@127.0.0.1:1`],
  };
}

const FORMS = Object.values(CANARIES).flatMap((canary) => {
  const text = String(canary);
  // As JSON and inspect write it, as a URL carries it, and its first line alone.
  return [text, encodeURIComponent(text), decodeURIComponent(text), JSON.stringify(text).slice(1, -1)];
});

/** The canaries that `text` holds, in any form. */
export function canariesIn(text: string): string[] {
  return [...new Set(FORMS.filter((form) => text.includes(form)))];
}
