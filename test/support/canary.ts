import { inspect } from 'node:util';

/** A password that URLs and regular expressions have trouble with. */
export const CANARY = 'canary-p4ss/w@rd%$1';

const FORMS = [CANARY, encodeURIComponent(CANARY), Buffer.from(CANARY).toString('base64')];

/** Whether anything that can be read off `values` holds {@link CANARY}. */
export function tellsCanary(...values: unknown[]): boolean {
  const text = values.map(printed).join('\n');
  return FORMS.some((form) => text.includes(form));
}

/** Everything that can be read off a value by those who print it. */
export function printed(value: unknown): string {
  const texts = [
    inspect(value, { showHidden: true, depth: null, maxArrayLength: null, maxStringLength: null, getters: true }),
    asJson(value),
  ];
  for (let error = value, depth = 0; error instanceof Error && depth < 20; error = error.cause, depth += 1) {
    texts.push(error.message, String(error.stack), String(error), asJson(error), inspect(error));
    for (const key of Reflect.ownKeys(error)) texts.push(String(key), String(Reflect.get(error, key)));
  }
  return texts.join('\n');
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
