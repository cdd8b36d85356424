import type { FaultLog } from '../../support/fault-log.js';
import type { KnownTask } from '../../support/task-ledger.js';

/** Name in the log of faults of the application, whose submits a fault makes repeat. */
export const HUB = 'hub';

/**
 * Why the submits of a task may have doubled it: there were several, or a fault hit the only one (the driver sends again what
 * was not confirmed).
 */
export function submitExcuse(
  { submits, acknowledged }: Readonly<KnownTask>,
  faults: FaultLog,
): 'submitted again' | 'sent again' | undefined {
  if (submits.length > 1) return 'submitted again';
  const [submitted] = submits;
  if (submitted !== undefined && faults.excuse(HUB, submitted, acknowledged) !== undefined) return 'sent again';
  return undefined;
}
