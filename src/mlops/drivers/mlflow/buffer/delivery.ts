import { HubError } from '../../../../core/errors.js';
import { splitBatch } from '../client/log-batch.split.js';
import type { NumberedWrite, RunWrite } from './run-write.js';
import type { RunWriter } from './run-writer.js';
import { mergeBatches } from './write-group.js';

/** What is told of the writes of a group. */
export interface DeliveryOutcome<Write> {
  /** The server confirmed them. */
  stored(writes: readonly Write[]): void;
  /** The server refuses them, for good. */
  refused(writes: readonly Write[], error: unknown): void;
}

/**
 * Sends a group of writes of one run. When the server refuses it, the group is halved until the writes at fault are
 * found: they are told, all others are stored.
 */
export class Delivery<Write extends NumberedWrite> {
  /**
   * @param passing whether an error is nothing that a write is to blame for: then `send` rejects with it, and writes that
   *   neither `stored` nor `refused` has named are undecided
   */
  constructor(
    private readonly writer: RunWriter,
    private readonly passing: (error: unknown) => boolean,
    private readonly outcome: DeliveryOutcome<Write>,
  ) {}

  async send(runId: string, writes: readonly Write[]): Promise<void> {
    const error = await this.#request(runId, writes);
    if (error === undefined) {
      this.outcome.stored(writes);
      return;
    }
    if (this.passing(error)) throw error;
    if (writes.length === 1 || concernsAll(error, writes)) {
      this.outcome.refused(writes, error);
      return;
    }
    const half = Math.ceil(writes.length / 2);
    await this.send(runId, writes.slice(0, half));
    await this.send(runId, writes.slice(half));
  }

  async #request(runId: string, writes: readonly Write[]): Promise<unknown> {
    try {
      const [first] = writes;
      if (first === undefined) return undefined;
      const { write } = first;
      if (write.kind === 'inputs') await this.writer.logInputs(runId, write.datasets);
      else if (write.kind === 'end') await this.writer.endRun(runId, write.status, write.endTime);
      else if (writes.length > 1) await this.writer.logBatch(runId, mergeBatches(writes.map(batchOf)));
      else for (const part of splitBatch(write.batch)) await this.writer.logBatch(runId, part);
      return undefined;
    } catch (error) {
      return error ?? new HubError('INTERNAL', 'a request failed without saying why.');
    }
  }
}

function batchOf({ write }: NumberedWrite): Extract<RunWrite, { kind: 'batch' }>['batch'] {
  return write.kind === 'batch' ? write.batch : { metrics: [], params: [], tags: [] };
}

/** Whether an error speaks of the run or the client, not of an item: then there is nobody to look for. */
function concernsAll(error: unknown, writes: readonly NumberedWrite[]): boolean {
  if (HubError.is(error, 'NOT_FOUND', 'UNAUTHORIZED', 'ABORTED', 'CLOSED', 'UNSUPPORTED')) return true;
  // Of the items only a param can be in conflict; otherwise it is the state of the run.
  return HubError.is(error, 'CONFLICT') && writes.every((write) => batchOf(write).params.length === 0);
}
