import type { MLOpsPlugin } from '../../src/mlops/index.js';
import type { LedgerLine } from './ledger.js';

/** The model to which versions are added. */
export const MODEL = 'killed';

/** Content of the artifact of that number: long enough to be written in several pieces. */
export function artifactText(number: number): string {
  return `${number} `.repeat(50_000);
}

/** What one run was told to hold. */
interface KnownRun {
  /** step → [value, timestamp] */
  metrics: Map<number, [number, number]>;
  params: Map<string, string>;
  /** Greatest value of the tag `at`. */
  at: number;
  batches: Set<number>;
  artifacts: Set<number>;
  ended: boolean;
}

/** What the writers of an MLOps store were told is stored. */
export class MLOpsLedger {
  readonly #runs = new Map<string, KnownRun>();
  readonly #versions = new Set<string>();
  #alias: string | undefined;
  #movingTo: string | undefined;
  acknowledged = 0;

  /** How many runs are known. */
  get runs(): number {
    return this.#runs.size;
  }

  /** Takes in what a killed process reported. */
  add(lines: readonly LedgerLine[]): void {
    for (const [event, first = '', second = '', third = '', fourth = ''] of lines) {
      if (event !== 'moving') this.acknowledged += 1;
      const run = this.#run(event, String(first));
      if (event === 'metric') run.metrics.set(Number(second), [Number(third), Number(fourth)]);
      if (event === 'param') run.params.set(String(second), String(third));
      if (event === 'tag') run.at = Number(third);
      if (event === 'batch') run.batches.add(Number(second));
      if (event === 'artifact') run.artifacts.add(Number(second));
      if (event === 'end') run.ended = true;
      if (event === 'version') this.#versions.add(String(first));
      if (event === 'moving') this.#movingTo = String(first);
      if (event === 'alias') this.#alias = String(first);
    }
  }

  /** What is missing or different in the store. */
  async faults(mlops: MLOpsPlugin): Promise<string[]> {
    const faults: string[] = [];
    for (const [runId, known] of this.#runs) {
      for (const fault of await this.#runFaults(mlops, runId, known)) faults.push(`run ${runId}: ${fault}`);
    }
    return [...faults, ...(await this.#modelFaults(mlops))];
  }

  #run(event: string, runId: string): KnownRun {
    const empty = { metrics: new Map(), params: new Map(), at: -1, batches: new Set<number>() };
    const known = this.#runs.get(runId) ?? { ...empty, artifacts: new Set<number>(), ended: false };
    if (!['version', 'moving', 'alias'].includes(event)) this.#runs.set(runId, known);
    return known;
  }

  async #runFaults(mlops: MLOpsPlugin, runId: string, known: KnownRun): Promise<string[]> {
    const faults: string[] = [];
    const run = await mlops.getRun(runId);
    if (known.ended && run.status !== 'FINISHED') faults.push(`is ${run.status}`);
    const points = new Map<number, [number, number]>();
    if (known.metrics.size > 0) {
      for await (const { step, value, timestamp } of mlops.getMetricHistory(runId, 'loss')) {
        if (points.has(step)) faults.push(`step ${step} is doubled`);
        points.set(step, [value, timestamp]);
      }
      const latest = [...points.keys()].at(-1);
      if (run.metrics['loss']?.step !== latest) faults.push(`latest step ${run.metrics['loss']?.step}, not ${latest}`);
    }
    for (const [step, point] of known.metrics) {
      if (String(points.get(step)) !== String(point)) faults.push(`step ${step}: ${points.get(step)}, not ${point}`);
    }
    for (const [key, value] of known.params) {
      if (run.params[key] !== value) faults.push(`${key}: ${run.params[key]}, not ${value}`);
    }
    if (known.at >= 0 && !(Number(run.tags['at']) >= known.at))
      faults.push(`tag at: ${run.tags['at']}, not ${known.at}`);
    for (const number of known.batches)
      if (run.params[`batch ${number}`] === undefined) faults.push(`no batch ${number}`);
    const begun = new Set([...Object.keys(run.params), ...Object.keys(run.tags), ...Object.keys(run.metrics)]);
    for (const key of begun) {
      if (!key.startsWith('batch ')) continue;
      const steps = await count(mlops.getMetricHistory(runId, key));
      if (steps !== 60 || run.tags[key] !== 'x' || run.params[key] === undefined)
        faults.push(`${key} is torn: ${steps}`);
    }
    return [...faults, ...(await this.#artifactFaults(mlops, runId, known))];
  }

  async #artifactFaults(mlops: MLOpsPlugin, runId: string, { artifacts }: KnownRun): Promise<string[]> {
    const faults: string[] = [];
    const files = (await mlops.listArtifacts(runId, 'texts')).map(({ path }) => path);
    for (const number of artifacts) if (!files.includes(`texts/${number}.txt`)) faults.push(`no artifact ${number}`);
    for (const path of files) {
      // Every file that can be seen has to be whole, acknowledged or not.
      const text = (await mlops.readArtifactBytes(runId, path)).toString();
      if (text !== artifactText(Number(/(\d+)\.txt$/.exec(path)?.[1]))) faults.push(`${path} is torn: ${text.length}`);
    }
    return faults;
  }

  async #modelFaults(mlops: MLOpsPlugin): Promise<string[]> {
    const faults: string[] = [];
    const found = new Set<string>();
    for await (const { version } of mlops.searchModelVersions({ filter: `name = '${MODEL}'` })) found.add(version);
    for (const version of this.#versions) if (!found.has(version)) faults.push(`version ${version} is missing`);
    if (this.#alias === undefined) return faults;
    const champion = (await mlops.getModelVersionByAlias(MODEL, 'champion'))?.version;
    const allowed = [this.#alias, this.#movingTo];
    if (!allowed.includes(champion)) faults.push(`champion is ${champion}, not ${allowed.join(' or ')}`);
    this.#alias = champion;
    return faults;
  }
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let sum = 0;
  for await (const _ of items) sum += 1;
  return sum;
}
