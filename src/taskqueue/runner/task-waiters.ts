type Listener = (change: TaskChange) => void;

/** What happened to a task: it reported, it ended, or the queue was closed. */
export type TaskChange = 'progress' | 'ended' | 'closed';

/** Who waits for what of which task, within this process. */
export class TaskWaiters {
  readonly #listeners = new Map<string, Set<Listener>>();

  /** Calls `listener` at every change until the returned function is called. */
  listen(taskId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(taskId) ?? new Set();
    this.#listeners.set(taskId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(taskId) === listeners) this.#listeners.delete(taskId);
    };
  }

  notify(taskId: string, change: TaskChange): void {
    for (const listener of [...(this.#listeners.get(taskId) ?? [])]) listener(change);
  }

  /** Tells everybody that nothing will come any more. */
  close(): void {
    for (const taskId of [...this.#listeners.keys()]) this.notify(taskId, 'closed');
    this.#listeners.clear();
  }
}
