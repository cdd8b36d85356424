/** A fault of the test, in ms since 1970. */
export interface Fault {
  kind: string;
  /** Names in the ledger of those that it hits. */
  hits: readonly string[];
  began: number;
  ended: number;
  /** When everybody worked again; `Infinity` until then. */
  over: number;
}

/** Most time from what a worker notes until the queue has it, and the other way round, in ms. */
const LATE_MS = 1_000;

/** Notes when which fault was, to tell what it excuses. */
export class FaultLog {
  readonly faults: Fault[] = [];

  /** Notes one that begins now. */
  begin(kind: string, hits: readonly string[]): Fault {
    const fault = { kind, hits, began: Date.now(), ended: Infinity, over: Infinity };
    this.faults.push(fault);
    return fault;
  }

  /**
   * The fault in which the claim to an execution may have been lost, so that its task ran twice.
   * @param ended `undefined` when the writer never said that it ended
   */
  excuse(writer: string, began: number, ended: number | undefined): Fault | undefined {
    const within = (late: number): Fault | undefined =>
      this.faults.find(
        ({ hits, over, ...fault }) =>
          hits.includes(writer) && fault.began <= (ended ?? Infinity) + late && began <= over + late,
      );
    // When faults follow each other closely, it is the one in which it happened, not the one before.
    return within(0) ?? within(LATE_MS);
  }
}
