import { randomUUID } from 'node:crypto';
import { HubError } from '../../../src/core/errors.js';
import type { MLOpsPlugin } from '../../../src/mlops/index.js';
import type { ServerView } from './server-view.js';

/** The model to which versions are added. */
const MODEL = 'weathered';
/** How much later than its deadline a creation may end, in ms: two cores that a server shares. */
const SLACK = 2_000;

/** Creates runs, experiments and model versions again and again, and knows which of them have to be there once. */
export class Creators {
  /** Creations that succeeded, and that were refused in time. */
  created = 0;
  refused = 0;
  readonly #faults: string[] = [];
  /** marker → id, or `undefined` when it was refused and may or may not be there. */
  readonly #runs = new Map<string, string | undefined>();
  readonly #versions = new Map<string, string | undefined>();

  /** @param deadline how long a creation may take, in ms */
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly experimentId: string,
    private readonly deadline: number,
  ) {}

  /** Creates until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    await this.mlops.createRegisteredModel(MODEL);
    const loops = [this.#createRun, this.#createVersion, this.#createVersion, this.#createExperiment];
    await Promise.all(
      loops.map(async (create) => {
        while (!signal.aborted) await create.call(this, randomUUID());
      }),
    );
  }

  /** What is doubled, missing, or went wrong. */
  async faults(view: ServerView): Promise<string[]> {
    const runs = (await view.runs(this.experimentId)).map(({ runId, tags }) => [runId, tags.get('marker')] as const);
    const versions = [...(await view.versionTags(MODEL, 'marker'))];
    return [...this.#faults, ...compare('run', this.#runs, runs), ...compare('version', this.#versions, versions)];
  }

  async #createRun(marker: string): Promise<void> {
    await this.#create('run', marker, this.#runs, async () => {
      return (await this.mlops.startRun(this.experimentId, { tags: { marker } })).runId;
    });
  }

  async #createVersion(marker: string): Promise<void> {
    await this.#create('version', marker, this.#versions, async () => {
      const options = { source: `s3://models/${marker}`, tags: { marker } };
      return (await this.mlops.createModelVersion(MODEL, options)).version;
    });
  }

  /** A second attempt may not take the experiment of the first for somebody else's. */
  async #createExperiment(marker: string): Promise<void> {
    await this.#create('experiment', marker, new Map(), () => this.mlops.createExperiment(marker));
  }

  async #create(
    what: string,
    marker: string,
    known: Map<string, string | undefined>,
    create: () => Promise<string>,
  ): Promise<void> {
    const began = performance.now();
    try {
      known.set(marker, await create());
      this.created += 1;
    } catch (error) {
      known.set(marker, undefined);
      this.refused += 1;
      // A login page says that nobody is logged in: that is no outage.
      if (!HubError.is(error, 'UNAVAILABLE', 'UNAUTHORIZED')) this.#faults.push(`${what}: ${String(error)}`);
    }
    const took = performance.now() - began;
    if (took > this.deadline + SLACK) this.#faults.push(`${what} ${marker}: took ${took.toFixed(0)} ms`);
  }
}

function compare(
  what: string,
  known: ReadonlyMap<string, string | undefined>,
  stored: readonly (readonly [id: string, marker: string | undefined])[],
): string[] {
  const faults: string[] = [];
  for (const [marker, id] of known) {
    const ids = stored.filter(([, found]) => found === marker).map(([found]) => found);
    if (ids.length > 1) faults.push(`${what} ${marker} is there ${ids.length} times: ${ids.join(', ')}`);
    if (id !== undefined && ids[0] !== id) faults.push(`${what} ${marker} is ${ids[0] ?? 'missing'}, not ${id}`);
  }
  return faults;
}
