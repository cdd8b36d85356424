import type { SubmitNote } from './results/result-backend.js';

/** What this process knows of a task. */
export interface KnownTask {
  /** Of one that was submitted here. */
  note?: SubmitNote | undefined;
  /** Whether its end was seen. */
  ended: boolean;
}

/** Most tasks in each of two generations. */
const GENERATION = 20_000;

/** Tasks that this process has submitted or has seen the end of, those used last. */
export class KnownTasks {
  #young = new Map<string, KnownTask>();
  #old = new Map<string, KnownTask>();

  get(taskId: string): KnownTask | undefined {
    const young = this.#young.get(taskId);
    if (young !== undefined) return young;
    const old = this.#old.get(taskId);
    if (old !== undefined) this.#set(taskId, old);
    return old;
  }

  /** Notes a submit; an id that is submitted again starts anew. */
  submitted(taskId: string, note: SubmitNote): void {
    this.#set(taskId, { note, ended: false });
  }

  /** Notes that a task has ended. */
  ended(taskId: string): void {
    const known = this.get(taskId);
    if (known?.ended !== true) this.#set(taskId, { ...known, ended: true });
  }

  #set(taskId: string, known: KnownTask): void {
    this.#young.set(taskId, known);
    if (this.#young.size < GENERATION) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
