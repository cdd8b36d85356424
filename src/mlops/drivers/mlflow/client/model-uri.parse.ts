import { checkArtifactPath, invalid } from '../../../mlops.validation.js';

/** MLflow's old stages of a model version. */
const STAGES = new Map(['None', 'Staging', 'Production', 'Archived'].map((stage) => [stage.toLowerCase(), stage]));

/**
 * What a URI of a model names, before anything is looked up. `path` is the rest below it, `''` for none.
 * See https://mlflow.org/docs/latest/ml/model-registry/
 */
export type ModelUri =
  /** `runs:/<run id>/<path>` */
  | { kind: 'run'; runId: string; path: string }
  /** `models:/<name>/<version>` */
  | { kind: 'version'; name: string; version: string; path: string }
  /** `models:/<name>@<alias>` */
  | { kind: 'alias'; name: string; alias: string; path: string }
  /** `models:/<name>/latest`, or a stage such as `models:/<name>/Production` */
  | { kind: 'latest'; name: string; stage?: string; path: string }
  /** `models:/m-<id>` of MLflow 3 */
  | { kind: 'loggedModel'; modelId: string; path: string }
  /** Any other URI, which is a place already. */
  | { kind: 'place'; uri: string };

/** Reads a URI of a model. `INVALID_ARGUMENT` for what is none, and for `..` in it. */
export function parseModelUri(uri: unknown): ModelUri {
  if (typeof uri !== 'string') throw invalid('a model URI has to be a string.');
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/*(.*)$/is.exec(uri) ?? [];
  if (scheme === undefined) throw wrong(uri, 'a URI with a scheme');
  if (scheme.toLowerCase() === 'runs') return runUri(uri, rest);
  if (scheme.toLowerCase() === 'models') return registryUri(uri, rest);
  return { kind: 'place', uri };
}

function runUri(uri: string, rest: string): ModelUri {
  const [runId = '', ...path] = rest.replace(/\/+$/, '').split('/');
  if (!/^[a-zA-Z0-9][\w-]{0,255}$/.test(runId)) throw wrong(uri, 'runs:/<run id>/<path>');
  return { kind: 'run', runId, path: below(path) };
}

function registryUri(uri: string, rest: string): ModelUri {
  const [first = '', second, ...path] = rest.replace(/\/+$/, '').split('/');
  const at = first.lastIndexOf('@');
  if (at > 0 && at < first.length - 1) {
    const [name, alias] = [first.slice(0, at), first.slice(at + 1)];
    return { kind: 'alias', name, alias, path: below(second === undefined ? [] : [second, ...path]) };
  }
  const stage = STAGES.get((second ?? '').toLowerCase());
  if (first !== '' && second !== undefined) {
    if (/^\d{1,15}$/.test(second)) return { kind: 'version', name: first, version: second, path: below(path) };
    if (second.toLowerCase() === 'latest') return { kind: 'latest', name: first, path: below(path) };
    if (stage !== undefined) return { kind: 'latest', name: first, stage, path: below(path) };
  }
  if (!/^m-[\w-]+$/.test(first)) {
    throw wrong(uri, 'models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>');
  }
  return { kind: 'loggedModel', modelId: first, path: below(second === undefined ? [] : [second, ...path]) };
}

function below(segments: string[]): string {
  return checkArtifactPath(segments.join('/'), true).join('/');
}

function wrong(uri: string, expected: string): Error {
  return invalid(`${JSON.stringify(uri.slice(0, 200))} is no model URI; it has to be ${expected}.`);
}
