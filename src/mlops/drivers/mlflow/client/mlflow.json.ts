import { errorMessage, HubError } from '../../../../core/errors.js';

/** An escaped surrogate: a backslash before it that is itself escaped makes it plain text. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/;

/**
 * The JSON text of a request body. Numbers that are not finite become the strings that protobuf's JSON reads: `"NaN"`,
 * `"Infinity"`, `"-Infinity"`. Throws `PAYLOAD_INVALID` for what JSON cannot carry.
 */
export function encodeJson(body: object): string {
  try {
    const text = JSON.stringify(body);
    // Well-formed JSON escapes lone surrogates only. MLflow drops what follows one, and answers 200.
    if (/\\ud[89a-f]/.test(text) && LONE_SURROGATE.test(text)) throw new Error('it holds half of a surrogate pair');
    // A replacer is several times slower than none, and this runs for every point that is logged: only a body with a
    // `null` in it can hold such a number.
    return text.includes('null') ? JSON.stringify(body, (_key, value: unknown) => encodeNumber(value)) : text;
  } catch (error) {
    throw new HubError('PAYLOAD_INVALID', `the request cannot be written as JSON: ${errorMessage(error)}`);
  }
}

/**
 * Reads an answer: the object in `text`, `{}` when there is nothing, or `undefined` when it is no JSON object. The bare
 * words NaN and Infinity, which some of MLflow's routes write, are read as strings.
 */
export function parseJsonObject(text: string): object | undefined {
  if (text.trim() === '') return {};
  const value = parse(text) ?? parse(quoteBareNumbers(text));
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

function encodeNumber(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `text` with NaN and ±Infinity in quotes, where they stand outside of strings. */
function quoteBareNumbers(text: string): string {
  return text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
}
