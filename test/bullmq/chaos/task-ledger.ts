import type { LedgerLine } from '../../durability/ledger.js';
import type { FaultLog } from './fault-log.js';

/** An execution as its worker noted it, in ms since 1970. */
interface Execution {
  writer: string;
  began: number;
  attempt: number;
  /** `undefined`: it was never heard of again. */
  ended?: number;
  result?: number;
}

/** What the files of the ledger say of one task. */
interface KnownTask {
  acknowledged: boolean;
  executions: Execution[];
}

/** All tasks as the ledger has them: what was submitted, what of it was acknowledged, and each execution. */
export class TaskLedger {
  readonly #tasks = new Map<string, KnownTask>();
  /** Contradictions in the ledger itself. */
  readonly faults: string[] = [];

  /** @param files lines by writer, see `readLedgerFiles` */
  constructor(files: ReadonlyMap<string, readonly LedgerLine[]>) {
    for (const [event, id] of [...files.values()].flat()) {
      if (event === 'submitting') this.#tasks.set(String(id), { acknowledged: false, executions: [] });
    }
    for (const [writer, lines] of files) for (const line of lines) this.#add(writer, line);
    for (const { executions } of this.#tasks.values()) executions.sort((one, other) => one.began - other.began);
  }

  /** Ids whose submit was acknowledged. */
  get acknowledged(): string[] {
    return [...this.#tasks].filter(([, task]) => task.acknowledged).map(([id]) => id);
  }

  /** Ids that were submitted, of which nobody can say whether Redis has them. */
  get unsure(): number {
    return this.#tasks.size - this.acknowledged.length;
  }

  /** Acknowledged ids that no worker has run to its end. */
  get lost(): string[] {
    return this.acknowledged.filter((id) => !this.executions(id).some(({ ended }) => ended !== undefined));
  }

  /** Executions beyond the first of each id. */
  get duplicates(): number {
    return [...this.#tasks.values()].reduce((sum, { executions }) => sum + Math.max(0, executions.length - 1), 0);
  }

  /** The executions of an id, the first one first. */
  executions(id: string): readonly Readonly<Execution>[] {
    return this.#tasks.get(id)?.executions ?? [];
  }

  /**
   * How many executions followed another of the same id where a fault excuses it, by the kind of the fault; the others are
   * named. The fault may have hit either: a worker that was frozen runs what it had taken when another one already has.
   */
  judge(faults: FaultLog): { excused: Map<string, number>; unexcused: string[] } {
    const excused = new Map<string, number>();
    const unexcused: string[] = [];
    for (const [id, { executions }] of this.#tasks) {
      for (let index = 1; index < executions.length; index += 1) {
        const pair = executions.slice(index - 1, index + 1);
        const kind = pair.map(({ writer, began, ended }) => faults.excuse(writer, began, ended)?.kind).find(Boolean);
        if (kind === undefined) unexcused.push(`${id} ran again: ${JSON.stringify(pair)}`);
        else excused.set(kind, (excused.get(kind) ?? 0) + 1);
      }
    }
    return { excused, unexcused };
  }

  #add(writer: string, [event, value, at, number]: LedgerLine): void {
    const id = String(value);
    const task = this.#tasks.get(id);
    if (task === undefined) {
      this.faults.push(`${writer}: ${event} ${id}, which was never submitted`);
      return;
    }
    if (event === 'acknowledged') task.acknowledged = true;
    if (event === 'began') task.executions.push({ writer, began: Number(at), attempt: Number(number) });
    if (event !== 'ended') return;
    const open = task.executions.find((one) => one.writer === writer && one.ended === undefined);
    if (open === undefined) this.faults.push(`${writer}: ${id} ended and had not begun`);
    else Object.assign(open, { ended: Number(at), result: Number(number) });
  }
}
