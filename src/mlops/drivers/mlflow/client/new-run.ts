import { userInfo } from 'node:os';
import { checkTags, checkText, invalid, LIMITS } from '../../../mlops.validation.js';
import type { StartRunOptions } from '../../../mlops.types.js';

const NAME_TAG = 'mlflow.runName';

/** Who runs it, how it is called, and the tags that go with it. */
export interface NewRun {
  userId: string;
  /** `undefined`: the server makes a readable one. */
  runName: string | undefined;
  tags: Map<string, string>;
}

/**
 * The tags of a new run, as MLflow's own client writes them: `mlflow.user`, `mlflow.source.name` (the script),
 * `mlflow.source.type`, and `mlflow.parentRunId` for a nested one. Those that are given win.
 */
export function newRun(options: StartRunOptions): NewRun {
  const userId = checkText(options.userId ?? currentUser(), 'userId', LIMITS.userId);
  const given = new Map(checkTags(options.tags));
  const nameTag = given.get(NAME_TAG);
  const runName = options.runName ?? nameTag;
  if (runName !== undefined) checkText(runName, "a run's name", LIMITS.runName, false);
  if (nameTag !== undefined && nameTag !== runName) {
    throw invalid(`runName and the tag ${NAME_TAG} say different names. Give one of them.`);
  }
  const { parentRunId } = options;
  const tags = new Map([
    ['mlflow.user', userId],
    ['mlflow.source.name', (process.argv[1] ?? '').slice(0, LIMITS.tagValue)],
    ['mlflow.source.type', 'LOCAL'],
    ...given,
    ...(runName === undefined ? [] : [[NAME_TAG, runName] as const]),
    ...(parentRunId === undefined ? [] : [['mlflow.parentRunId', parentRunId] as const]),
  ]);
  return { userId, runName, tags };
}

function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user id may have no entry in /etc/passwd.
    return 'unknown';
  }
}
