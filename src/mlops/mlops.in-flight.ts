interface Operation {
  path: string;
  done: Promise<void>;
}

/** Artifact operations under way, by run, so that later ones on the same paths see them done. */
export class InFlight {
  readonly #operations = new Map<string, Set<Operation>>();

  /** Resolves when all operations begun so far that touch `path` (or lie below or above it) have ended. */
  before(runId: string, path: string): Promise<void> | undefined {
    const earlier = [...(this.#operations.get(runId) ?? [])].filter((operation) => overlaps(operation.path, path));
    return earlier.length === 0
      ? undefined
      : Promise.all(earlier.map((operation) => operation.done)).then(() => undefined);
  }

  /**
   * Notes an operation until it ends.
   * @param begin gets a promise of the earlier operations on `path`, to await before its effect is visible
   */
  async track<T>(runId: string, path: string, begin: (earlier: Promise<void> | undefined) => Promise<T>): Promise<T> {
    const result = begin(this.before(runId, path));
    const operation = {
      path,
      done: result.then(
        () => undefined,
        () => undefined,
      ),
    };
    const operations = this.#operations.get(runId) ?? new Set();
    this.#operations.set(runId, operations.add(operation));
    try {
      return await result;
    } finally {
      operations.delete(operation);
      if (operations.size === 0) this.#operations.delete(runId);
    }
  }

  /** Resolves when everything begun so far has ended. */
  async settled(): Promise<void> {
    const all = [...this.#operations.values()].flatMap((operations) => [...operations]);
    await Promise.all(all.map((operation) => operation.done));
  }
}

function overlaps(a: string, b: string): boolean {
  return a === b || a === '' || b === '' || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}
