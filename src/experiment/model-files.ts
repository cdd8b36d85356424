import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { HubError } from '../core/errors.js';
import type { MLOpsPlugin } from '../mlops/mlops.plugin.js';
import type { ModelVersion } from '../mlops/mlops.types.js';
import { MODEL_PATH } from './experiment.tags.js';
import type { ResolvedExperiment } from './experiment.types.js';
import type { ModelReference, TrainedModel } from './task-contract.js';

/** How many versions of a model stay on the hub's file system, those that were used last. */
const KEPT_VERSIONS = 8;

/**
 * The models' files on the hub's own file system: `runs/<runId>` for what a training leaves, `models/<name>/…` for what
 * predictions read. Everything in the folder can be fetched again, so it may be deleted while no hub runs.
 */
export class ModelFiles {
  readonly #fetching = new Map<string, Promise<string>>();
  readonly #root: string;

  /** @param workDir folder of its own; created when missing, for this user alone */
  constructor(
    private readonly mlops: MLOpsPlugin,
    workDir: string,
  ) {
    this.#root = resolve(workDir);
  }

  /** Makes the folder that a training may leave its model in. */
  async outputDir(runId: string): Promise<string> {
    const folder = join(this.#root, 'runs', runId);
    await this.#makeRoot();
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** Removes the folder of a training. */
  async removeOutput(runId: string): Promise<void> {
    await rm(join(this.#root, 'runs', runId), { recursive: true, force: true });
  }

  /** Stores a trained model among its run's artifacts. `PAYLOAD_INVALID` when it is not where the result says. */
  async store(runId: string, model: TrainedModel): Promise<void> {
    if ('json' in model) {
      await this.mlops.logText(runId, JSON.stringify(model.json), `${MODEL_PATH}/model.json`);
    } else if ('path' in model) {
      const path = await this.#confined(runId, model.path);
      if ((await stat(path)).isDirectory()) await this.mlops.logArtifacts(runId, path, MODEL_PATH);
      else await this.mlops.logArtifact(runId, path, MODEL_PATH);
    } else if ((await this.mlops.listArtifacts(runId, MODEL_PATH)).length === 0) {
      throw new HubError(
        'PAYLOAD_INVALID',
        `the training says that it stored the model itself, but run ${runId} has no artifacts below ${MODEL_PATH}/.`,
      );
    }
  }

  /** What tasks are told about a version; unless they fetch it themselves, its files are fetched first, once for all. */
  async reference(version: ModelVersion, { tasks }: ResolvedExperiment): Promise<ModelReference> {
    const { name, version: number, runId } = version;
    const path = tasks.modelsBy === 'uri' ? null : await this.#path(version);
    return { name, version: number, runId, uri: `models:/${name}/${number}`, path };
  }

  async #path({ name, version, source }: ModelVersion): Promise<string | null> {
    const [, runId, path] = /^runs:\/([^/]+)\/(.+)$/.exec(source) ?? [];
    if (runId === undefined || path === undefined) return null;
    // The run's id is in the name because a deleted and recreated model counts its versions from 1 again.
    const folder = join(this.#root, 'models', encodeURIComponent(name), `${version}-${runId}`);
    let fetching = this.#fetching.get(folder);
    if (fetching === undefined) {
      fetching = this.#fetch(runId, path, folder).finally(() => this.#fetching.delete(folder));
      this.#fetching.set(folder, fetching);
    }
    return fetching;
  }

  async #fetch(runId: string, path: string, folder: string): Promise<string> {
    if (await touch(folder)) return folder;
    await this.#makeRoot();
    await mkdir(dirname(folder), { recursive: true });
    const scratch = await mkdtemp(join(dirname(folder), '.fetch-'));
    try {
      const copied = await this.mlops.downloadArtifacts(runId, path, scratch);
      // Renamed into place, so that a half-fetched model is never read, not even after a crash.
      await rename(copied, folder).catch(async (error: unknown) => {
        if (!(await touch(folder))) throw error;
      });
      // What is moved keeps its times, which may be those of the upload.
      await touch(folder);
      await this.#prune(dirname(folder));
      return folder;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** Removes the versions of a model that were asked for longest ago; tasks in flight read the latest ones. */
  async #prune(models: string): Promise<void> {
    const versions = (await readdir(models)).filter((name) => !name.startsWith('.'));
    const used = await Promise.all(
      // Another hub on the same folder may be pruning as well.
      versions.map(async (name) => ({ name, at: (await stat(join(models, name)).catch(() => null))?.mtimeMs ?? 0 })),
    );
    for (const { name } of used.sort((a, b) => b.at - a.at).slice(KEPT_VERSIONS)) {
      await rm(join(models, name), { recursive: true, force: true });
    }
  }

  /** Only the root is closed to others: one that was made by hand, say for workers of another user, stays open. */
  async #makeRoot(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
  }

  async #confined(runId: string, path: string): Promise<string> {
    const folder = await realpath(await this.outputDir(runId));
    const wanted = isAbsolute(path) ? path : join(folder, path);
    const found = await realpath(wanted).catch((cause: unknown) => {
      throw new HubError(
        'PAYLOAD_INVALID',
        `the training's model ${basename(path)} is not in its outputDir. A worker on another machine has to return ` +
          'the model as { json } or store it itself and return { logged: true }.',
        { cause },
      );
    });
    // Whoever can write a task result must not make the hub publish other files of its machine.
    if (relative(folder, found).startsWith('..') || isAbsolute(relative(folder, found))) {
      throw new HubError('PAYLOAD_INVALID', `the training's model ${basename(path)} lies outside its outputDir.`);
    }
    return found;
  }
}

/** Marks a folder as used now; `false` when it does not exist. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}
