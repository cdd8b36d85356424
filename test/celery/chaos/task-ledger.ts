import type { LedgerLine } from '../../durability/ledger.js';
import type { FaultLog } from '../../bullmq/chaos/fault-log.js';

/** Name in the log of faults of the application, whose submits a fault makes repeat. */
export const HUB = 'hub';

/** An execution as its worker noted it, in ms since 1970. */
interface Execution {
  writer: string;
  began: number;
  attempt: number;
  pid: number;
  /** `undefined`: it was never heard of again. */
  ended?: number;
}

/** What the files of the ledger say of one task. */
interface KnownTask {
  /** Calls that submitted it, in ms since 1970. */
  submits: number[];
  acknowledged?: number;
  executions: Execution[];
}

/** All tasks as the ledger has them: what was submitted, what of it was acknowledged, and each execution. */
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

  /** All that is known of an id, for messages. */
  story(id: string): string {
    return `${id}: ${JSON.stringify(this.#tasks.get(id))}`;
  }

  /** Of some ids those that no worker has run to the end. */
  lost(ids: readonly string[]): string[] {
    return ids.filter((id) => !this.executions(id).some(({ ended }) => ended !== undefined));
  }

  /** The executions of an id, the first one first. */
  executions(id: string): readonly Readonly<Execution>[] {
    return this.#tasks.get(id)?.executions ?? [];
  }

  /** Executions beyond the first of each id. */
  get duplicates(): number {
    return [...this.#tasks.values()].reduce((sum, { executions }) => sum + Math.max(0, executions.length - 1), 0);
  }

  /** Ids that were submitted more than once, by the application that got no acknowledgement. */
  get repeated(): number {
    return [...this.#tasks.values()].filter(({ submits }) => submits.length > 1).length;
  }

  /**
   * Why executions followed another of the same id: it was submitted again, a fault hit the submit (the driver sends again
   * what was not confirmed), or one hit a worker that had the task. The others are named.
   */
  judge(faults: FaultLog): { excused: Map<string, number>; unexcused: string[] } {
    const excused = new Map<string, number>();
    const unexcused: string[] = [];
    for (const [id, task] of this.#tasks) {
      for (let index = 1; index < task.executions.length; index += 1) {
        const pair = task.executions.slice(index - 1, index + 1);
        const reason = this.#reason(task, pair, faults);
        if (reason === undefined) unexcused.push(`${id} ran again: ${JSON.stringify(pair)}`);
        else excused.set(reason, (excused.get(reason) ?? 0) + 1);
      }
    }
    return { excused, unexcused };
  }

  #reason({ submits, acknowledged }: KnownTask, pair: readonly Execution[], faults: FaultLog): string | undefined {
    for (const { writer, began, ended } of pair) {
      const kind = faults.excuse(writer, began, ended)?.kind;
      if (kind !== undefined) return kind;
    }
    if (submits.length > 1) return 'submitted again';
    const [submitted] = submits;
    if (submitted !== undefined && faults.excuse(HUB, submitted, acknowledged) !== undefined) return 'sent again';
    return undefined;
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
