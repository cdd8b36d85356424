import { Readable } from 'node:stream';
import { HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE } from '../mlflow.errors.js';

/** Most of an answer that is read as text, in bytes. */
export const MAX_TEXT = 64 * 1024;
/** Most of a JSON answer, in bytes: far above a full page of anything, far below what a string can hold. */
export const MAX_JSON = 256 * 1024 * 1024;

/** The whole body as text. Rejects with `PAYLOAD_INVALID` when it has more than `limit` bytes. */
export async function readText(body: Readable, limit: number): Promise<string> {
  const { text, isCut } = await readUpTo(body, limit);
  if (!isCut) return text;
  throw new HubError(
    'PAYLOAD_INVALID',
    `the answer has more than ${limit} bytes: ask for smaller pages.`,
    MLFLOW_SOURCE,
  );
}

/** The beginning of a body as text: what of it arrived, and the error with which it ended, if it did. */
export async function readBeginning(body: Readable): Promise<{ text: string; fault?: unknown }> {
  const chunks: Buffer[] = [];
  const fault: unknown = await collect(body, MAX_TEXT, chunks).then(
    () => undefined,
    (error: unknown) => error,
  );
  const text = Buffer.concat(chunks).subarray(0, MAX_TEXT).toString('utf8');
  return fault === undefined ? { text } : { text, fault };
}

async function readUpTo(body: Readable, limit: number): Promise<{ text: string; isCut: boolean }> {
  const chunks: Buffer[] = [];
  const isCut = await collect(body, limit, chunks);
  return { text: Buffer.concat(chunks).toString('utf8'), isCut };
}

/** Whether there was more than `limit`; the rest is not read then, which gives the connection up. */
async function collect(body: Readable, limit: number, chunks: Buffer[]): Promise<boolean> {
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) return true;
  }
  return false;
}
