import type { LedgerLine } from '../durability/ledger.js';
import type { FaultLog } from './fault-log.js';
import { tally, type Tally } from './tally.js';

/** An execution as its worker noted it, in ms since 1970. */
export interface Execution {
  writer: string;
  began: number;
  attempt: number;
  pid: number;
  /** `undefined`: it was never heard of again. */
  ended?: number;
}

/** What the files of the ledger say of one task. */
export interface KnownTask {
  /** Calls that submitted it, in ms since 1970. */
  submits: number[];
  acknowledged?: number;
  executions: Execution[];
}

/**
 * All tasks as the ledger has them: what was submitted, what of it was acknowledged, and each execution. The lines of who
 * submits are `submitting`/`acknowledged`, id, ms since 1970; those of workers are `began`, id, ms, attempt, pid and `ended`,
 * id, ms, result, pid.
 */
export class TaskLedger {
  readonly #tasks = new Map<string, KnownTask>();
  /** Contradictions in the ledger itself. */
  readonly faults: string[] = [];

  /** @param files lines by writer, see `readLedgerFiles` */
  constructor(files: ReadonlyMap<string, readonly LedgerLine[]>) {
    for (const [event, id, at] of [...files.values()].flat()) {
      if (event !== 'submitting') continue;
      const task = this.#tasks.get(String(id)) ?? { submits: [], executions: [] };
      task.submits.push(Number(at));
      this.#tasks.set(String(id), task);
    }
    for (const [writer, lines] of files) for (const line of lines) this.#add(writer, line);
    for (const { executions } of this.#tasks.values()) executions.sort((one, other) => one.began - other.began);
  }

  /** Ids whose submit was acknowledged. */
  get acknowledged(): string[] {
    return [...this.#tasks].filter(([, task]) => task.acknowledged !== undefined).map(([id]) => id);
  }

  /** How many were submitted of which nobody can say whether the queue has them. */
  get unsure(): number {
    return this.#tasks.size - this.acknowledged.length;
  }

  /** How many were submitted more than once, by the application that got no acknowledgement. */
  get repeated(): number {
    return [...this.#tasks.values()].filter(({ submits }) => submits.length > 1).length;
  }

  /** Executions beyond the first of each id. */
  get duplicates(): number {
    return [...this.#tasks.values()].reduce((sum, { executions }) => sum + Math.max(0, executions.length - 1), 0);
  }

  /** All that is known of an id, for messages. */
  story(id: string): string {
    return `${id}: ${JSON.stringify(this.#tasks.get(id))}`;
  }

  /** Of some ids those that no worker has run to the end. Default: of the acknowledged ones. */
  lost(ids: readonly string[] = this.acknowledged): string[] {
    return ids.filter((id) => !this.executions(id).some(({ ended }) => ended !== undefined));
  }

  /** The executions of an id, the first one first. */
  executions(id: string): readonly Readonly<Execution>[] {
    return this.#tasks.get(id)?.executions ?? [];
  }

  /**
   * How many executions followed another of the same id where a fault excuses it, by the kind of the fault; the others are
   * named. The fault may have hit either: a worker that was frozen runs what it had taken when another one already has.
   * @param submitExcuse what excuses it beside that, where submits may double a task. Default: nothing
   */
  judge(
    faults: FaultLog,
    submitExcuse: (task: Readonly<KnownTask>) => string | undefined = () => undefined,
  ): { excused: Tally; unexcused: string[] } {
    const excused: Tally = new Map();
    const unexcused: string[] = [];
    for (const [id, task] of this.#tasks) {
      for (let index = 1; index < task.executions.length; index += 1) {
        const pair = task.executions.slice(index - 1, index + 1);
        const kind = pair.map(({ writer, began, ended }) => faults.excuse(writer, began, ended)?.kind).find(Boolean);
        const reason = kind ?? submitExcuse(task);
        if (reason === undefined) unexcused.push(`${id} ran again: ${JSON.stringify(pair)}`);
        else tally(excused, reason);
      }
    }
    return { excused, unexcused };
  }

  #add(writer: string, [event, value, at, number, pid]: LedgerLine): void {
    const id = String(value);
    const task = this.#tasks.get(id);
    if (task === undefined) {
      this.faults.push(`${writer}: ${event} ${id}, which was never submitted`);
      return;
    }
    if (event === 'acknowledged') task.acknowledged = Number(at);
    if (event === 'began') {
      task.executions.push({ writer, began: Number(at), attempt: Number(number), pid: Number(pid) });
    }
    if (event !== 'ended') return;
    const open = task.executions.find(
      (one) => one.writer === writer && one.pid === Number(pid) && one.ended === undefined,
    );
    if (open === undefined) this.faults.push(`${writer}: ${id} ended and had not begun`);
    else open.ended = Number(at);
  }
}
