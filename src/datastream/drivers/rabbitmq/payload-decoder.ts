import { errorMessage } from '../../../core/errors.js';
import type { JsonValue } from '../../../core/json.js';
import type { Payload } from '../../datastream.types.js';
import { BYTES_TYPE, JSON_TYPE } from './message-encoder.js';

/** A payload, or why there is none. */
export interface DecodedPayload {
  /** The bytes as they came when there is a fault. */
  payload: Payload;
  /** Why the payload cannot be read; `undefined` when it can. */
  fault: string | undefined;
}

/**
 * Reads a body by its content type: JSON, text for `text/*`, bytes for the others. Without one, JSON when it parses as
 * that. Never throws: what calls itself JSON and is none has a `fault`.
 */
export function decodePayload(content: Buffer, contentType: unknown): DecodedPayload {
  if (contentType === JSON_TYPE) return decodeJson(content, contentType);
  if (contentType === BYTES_TYPE) return { payload: bytesOf(content), fault: undefined };
  if (typeof contentType !== 'string' || contentType === '') {
    const { payload } = decodeJson(content, '');
    return { payload, fault: undefined };
  }
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (type === JSON_TYPE || type.endsWith('+json')) return decodeJson(content, type);
  if (type.startsWith('text/')) return { payload: content.toString('utf8'), fault: undefined };
  return { payload: bytesOf(content), fault: undefined };
}

function decodeJson(content: Buffer, type: string): DecodedPayload {
  try {
    return { payload: JSON.parse(content.toString('utf8')) as JsonValue, fault: undefined };
  } catch (error) {
    const fault = `its content type is ${type}, but its body is no JSON: ${errorMessage(error)}`;
    return { payload: bytesOf(content), fault };
  }
}

/** A copy, and no Buffer: the body of a message shares its memory with others that came with it. */
function bytesOf(content: Buffer): Uint8Array {
  return new Uint8Array(content);
}
