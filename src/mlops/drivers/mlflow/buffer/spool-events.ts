import type { PendingWrite } from './run-write.js';

/** What a spool tells. */
export interface SpoolEvents {
  /** A write could not be stored; its caller is told next. */
  lost(write: PendingWrite): void;
  /** Entries of a process that is gone are here now, the first of them at the place `first`. */
  adopted(runId: string, count: number, first: number): void;
}
