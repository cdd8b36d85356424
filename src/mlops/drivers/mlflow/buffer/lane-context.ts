import type { HubError } from '../../../../core/errors.js';
import type { RetryPolicy } from '../../../../core/retry.js';
import type { BufferMemory } from './buffer-memory.js';
import type { RequestSlots } from './request-slots.js';
import type { RunLane } from './run-lane.js';
import type { RunWriter } from './run-writer.js';
import type { ServerGate } from './server-gate.js';
import type { Spool } from './spool.js';

/** What all runs share. */
export interface LaneContext {
  readonly writer: RunWriter;
  readonly slots: RequestSlots;
  readonly memory: BufferMemory;
  readonly gate: ServerGate;
  readonly spool: Spool | undefined;
  readonly retry: RetryPolicy;
  /** For how long those who wait until writes are on the server bear failures, in ms. */
  readonly patience: number;
  /** How long a first write waits for others, in ms. */
  readonly linger: number;
  /** Whether no more requests may begin. */
  closed(): boolean;
  /** A lane has nothing to do at the moment. */
  rested(lane: RunLane): void;
  /** The error for those who wait for writes that are still spooled. */
  stillSpooled(lane: RunLane): HubError;
}
