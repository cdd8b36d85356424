/** What this process remembers of a task that it submitted or has seen. */
export interface TaskLocation {
  queue: string;
  /** From its envelope, in ms since 1970. */
  expires?: number;
  /** Whether this process made its id: then nothing that is told of it is of another task that had it before. */
  own?: boolean;
  /** Whether every event of it would have been heard here, and none of its end was. */
  quiet?: boolean;
}

/** Most tasks whose place is remembered, in each of two generations. */
const GENERATION = 20_000;

/** Where tasks are, of those used last: bounded, and forgetting one costs a look into every queue. */
export class TaskLocations {
  #young = new Map<string, TaskLocation>();
  #old = new Map<string, TaskLocation>();

  get(taskId: string): TaskLocation | undefined {
    const young = this.#young.get(taskId);
    if (young !== undefined) return young;
    const old = this.#old.get(taskId);
    if (old !== undefined) this.set(taskId, old);
    return old;
  }

  set(taskId: string, location: TaskLocation): void {
    this.#young.set(taskId, location);
    if (this.#young.size < GENERATION) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
