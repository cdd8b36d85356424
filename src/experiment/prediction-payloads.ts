import { randomUUID } from 'node:crypto';
import { HubError } from '../core/errors.js';
import type { JsonValue } from '../core/json.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { ExperimentStore } from './experiment-store.js';
import type { ResolvedExperiment } from './experiment.types.js';
import type { PredictByReferenceKwargs, PredictKwargs } from './task-contract.js';

/** Rows on their way to a predict task. */
export interface PlacedRows {
  kwargs: Pick<PredictKwargs, 'rows'> | Pick<PredictByReferenceKwargs, 'rows' | 'rowsUri' | 'resultDir'>;
  /** The task's result, read from where it lies. `PAYLOAD_INVALID` when it names another place than the one it was given. */
  read(result: JsonValue): Promise<JsonValue>;
  /** Removes what was stored for the task. Never rejects. */
  discard(): Promise<void>;
}

/**
 * Hands rows to predict tasks: in the task's own arguments, or, when they are too large for that, as an artifact of the
 * control run, so that queues carry a reference alone.
 */
export class PredictionPayloads {
  constructor(
    private readonly mlops: MLOpsPlugin,
    private readonly store: ExperimentStore,
  ) {}

  async place({ name, tasks: { maxInlineBytes } }: ResolvedExperiment, rows: JsonValue[]): Promise<PlacedRows> {
    if (maxInlineBytes === undefined) return inline(rows);
    const json = JSON.stringify(rows);
    return Buffer.byteLength(json) > maxInlineBytes ? this.#store(name, json) : inline(rows);
  }

  async #store(experiment: string, json: string): Promise<PlacedRows> {
    const runId = await this.store.controlRun(experiment);
    const resultDir = `hub/predictions/${randomUUID()}`;
    const path = `${resultDir}/rows.json`;
    await this.mlops.logText(runId, json, path);
    const resultPath = `${resultDir}/predictions.json`;
    const resultUri = `runs:/${runId}/${resultPath}`;
    return {
      kwargs: { rows: [], rowsUri: `runs:/${runId}/${path}`, resultDir },
      read: async (result) => {
        const named = typeof result === 'object' && !Array.isArray(result) ? result?.['resultUri'] : undefined;
        if (named === undefined) return result;
        // Whoever can write a task result must not make the hub read other artifacts.
        if (named !== resultUri) {
          throw new HubError('PAYLOAD_INVALID', `the task's resultUri has to be ${resultUri}.`);
        }
        const text = (await this.mlops.readArtifactBytes(runId, resultPath)).toString('utf8');
        try {
          return JSON.parse(text) as JsonValue;
        } catch (cause) {
          throw new HubError('PAYLOAD_INVALID', `what the task left at ${resultUri} is not JSON.`, { cause });
        }
      },
      discard: () => this.mlops.deleteArtifacts(runId, resultDir).catch(() => undefined),
    };
  }
}

function inline(rows: JsonValue[]): PlacedRows {
  return { kwargs: { rows }, read: (result) => Promise.resolve(result), discard: () => Promise.resolve() };
}
