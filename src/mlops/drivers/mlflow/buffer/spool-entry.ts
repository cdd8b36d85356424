import { HubError } from '../../../../core/errors.js';
import type { NumberedWrite } from './run-write.js';

/** Bytes beside the content that an entry takes in the file. */
export const ENTRY_BYTES = 100;

/** About how many bytes a write takes in the file. */
export function sizeOf({ bytes }: NumberedWrite): number {
  return bytes + ENTRY_BYTES;
}

/** The run of writes that follow each other, and the places of the first and the last. */
export function rangeOf(writes: readonly NumberedWrite[]): [runId: string, first: number, last: number] {
  const [first] = writes;
  const last = writes.at(-1);
  if (first === undefined || last === undefined) throw new HubError('INTERNAL', 'no writes to remove.');
  return [first.runId, first.seq, last.seq];
}
