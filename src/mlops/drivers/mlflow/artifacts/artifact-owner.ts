import { HubError } from '../../../../core/errors.js';
import { checkText } from '../../../mlops.validation.js';
import { API, checkModelId, checkRunId } from '../client/identifiers.js';
import type { MLflowTransport } from '../client/mlflow.transport.types.js';
import type { WireLoggedModel, WireRun } from '../client/wire.types.js';
import type { ArtifactCallOptions } from './artifact-store.js';

/** Whose artifacts are meant: those of a run, of a logged model (MLflow 3), or what lies at an `artifact_uri`. */
export type ArtifactOwner = { runId: string } | { modelId: string } | { artifactUri: string };

/** How many places are remembered: an `artifact_uri` never changes. */
const REMEMBERED = 1_000;

/** Finds the `artifact_uri` of owners, and remembers it. */
export class ArtifactOwners {
  readonly #uris = new Map<string, string>();

  constructor(private readonly transport: MLflowTransport) {}

  /**
   * The `artifact_uri`. `NOT_FOUND` when there is no such run or model.
   * @param active `CONFLICT` when the run is deleted, which is asked for each time: the server stores such files
   */
  async uriOf(owner: ArtifactOwner, active: boolean, options: ArtifactCallOptions): Promise<string> {
    if ('artifactUri' in owner) return checkText(owner.artifactUri, 'an artifact URI', Infinity, false);
    if ('modelId' in owner) {
      const modelId = checkModelId(owner.modelId);
      return this.#remember(`model ${modelId}`, () => this.#ofModel(modelId, options));
    }
    const runId = checkRunId(owner.runId);
    const key = `run ${runId}`;
    if (active) this.#uris.delete(key);
    return this.#remember(key, () => this.#ofRun(runId, active, options));
  }

  async #ofRun(runId: string, active: boolean, { signal }: ArtifactCallOptions): Promise<string | undefined> {
    const { run } = await this.transport.json<{ run?: WireRun }>({
      method: 'GET',
      path: `${API}/runs/get`,
      query: { run_id: runId },
      ...(signal === undefined ? {} : { signal }),
    });
    if (active && run?.info?.lifecycle_stage === 'deleted') {
      throw new HubError('CONFLICT', `the run ${runId} is deleted: its artifacts cannot be changed.`);
    }
    return run?.info?.artifact_uri;
  }

  async #ofModel(modelId: string, { signal }: ArtifactCallOptions): Promise<string | undefined> {
    const { model } = await this.transport.json<{ model?: WireLoggedModel }>({
      method: 'GET',
      path: `${API}/logged-models/${modelId}`,
      ...(signal === undefined ? {} : { signal }),
    });
    return model?.info?.artifact_uri;
  }

  async #remember(key: string, find: () => Promise<string | undefined>): Promise<string> {
    const known = this.#uris.get(key);
    if (known !== undefined) return known;
    const uri = await find();
    if (uri === undefined || uri === '') {
      throw new HubError('UNSUPPORTED', `the server does not tell where the artifacts of the ${key} lie.`);
    }
    const [oldest] = this.#uris.keys();
    if (this.#uris.size >= REMEMBERED && oldest !== undefined) this.#uris.delete(oldest);
    this.#uris.set(key, uri);
    return uri;
  }
}
