import { errorMessage, HubError, type HubErrorOptions } from '../core/errors.js';
import type { StandardSchemaIssue, StandardSchemaV1 } from '../core/standard-schema.js';
import type { Message, Payload } from './datastream.types.js';

/** Most issues that the detail of a dead letter lists. */
const MAX_ISSUES = 10;
/** Longest detail, in characters. */
const MAX_DETAIL_LENGTH = 500;

/**
 * What a schema says of one message. `valid`: the message with the validated payload. `reject`: it does not fit, and
 * `detail` says where. `fail`: the schema itself failed, which counts as a failure of the handler.
 */
export type PayloadCheck =
  { kind: 'valid'; message: Message } | { kind: 'reject'; detail: string } | { kind: 'fail'; error: unknown };

/**
 * Validates the payload of one message. Never rejects. The given message stays as it is: one whose payload the schema
 * changed is a copy.
 */
export async function validatePayload(schema: StandardSchemaV1, message: Message): Promise<PayloadCheck> {
  try {
    const result = await schema['~standard'].validate(message.payload);
    if (result.issues) return { kind: 'reject', detail: issuesText(result.issues) };
    if (result.value === message.payload) return { kind: 'valid', message };
    // The handler's type is that of the schema, which may transform a payload into anything.
    return { kind: 'valid', message: { ...message, payload: result.value as Payload } };
  } catch (error) {
    return { kind: 'fail', error };
  }
}

/** {@link validatePayload} of each message, in their order. */
export function validatePayloads(schema: StandardSchemaV1, messages: readonly Message[]): Promise<PayloadCheck[]> {
  return Promise.all(messages.map((message) => validatePayload(schema, message)));
}

/** `schema` when it is a Standard Schema or `undefined`; otherwise throws `INVALID_ARGUMENT`. */
export function checkSchema(schema: unknown, source: HubErrorOptions): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined;
  // A function: the schemas of ArkType are callable.
  if ((typeof schema === 'object' && schema !== null) || typeof schema === 'function') {
    const props = (schema as Partial<StandardSchemaV1>)['~standard'];
    if (props?.version === 1 && typeof props.validate === 'function') return schema as StandardSchemaV1;
  }
  const message = 'schema has to be a Standard Schema (version 1), such as one of Zod, Valibot, ArkType or Joi 18.';
  throw new HubError('INVALID_ARGUMENT', message, source);
}

function issuesText(issues: readonly StandardSchemaIssue[]): string {
  const shown = issues.slice(0, MAX_ISSUES).map(({ path = [], message }) => {
    const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  const more = issues.length > MAX_ISSUES ? `; and ${issues.length - MAX_ISSUES} more` : '';
  const text = errorMessage(`the payload does not fit its schema: ${shown.join('; ')}${more}`);
  if (text.length <= MAX_DETAIL_LENGTH) return text;
  // A character of two code units is not cut in half: no store has to carry half of one.
  return `${text.slice(0, MAX_DETAIL_LENGTH - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
