import { HubError } from '../../../../core/errors.js';
import type { ArtifactInfo } from '../../../mlops.types.js';
import type { ArtifactCallOptions, ArtifactStore } from './artifact-store.js';

/** Deepest nesting that is followed: no disk has names this long, and a server could list folders without end. */
const DEEPEST = 200;

/** Entries in the order of lists: folders first, then by name. */
export function foldersFirst(entries: ArtifactInfo[]): ArtifactInfo[] {
  return entries.sort((a, b) => Number(b.isDirectory) - Number(a.isDirectory) || byName(a, b));
}

/**
 * Everything below `segments`, depth first, each folder before what it holds, by name whatever the kind: an order that a
 * later walk can go on in. `UNSUPPORTED` for folders nested more than 200 deep.
 * @param after the last path of an earlier walk, relative to `segments`
 */
export async function* walk(
  store: ArtifactStore,
  segments: readonly string[],
  options: ArtifactCallOptions,
  after: readonly string[] = [],
): AsyncGenerator<ArtifactInfo> {
  if (segments.length > DEEPEST) {
    throw new HubError('UNSUPPORTED', `the server lists artifact folders nested more than ${DEEPEST} deep.`);
  }
  const [last, ...deeper] = after;
  for (const entry of (await store.list(segments, options)).sort(byName)) {
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    if (last !== undefined && name < last) continue;
    if (name !== last) yield entry;
    if (entry.isDirectory) yield* walk(store, [...segments, name], options, name === last ? deeper : []);
  }
}

function byName(a: ArtifactInfo, b: ArtifactInfo): number {
  // By code units, as JavaScript compares: the same on every machine.
  return a.path < b.path ? -1 : a.path > b.path ? 1 : Number(a.isDirectory) - Number(b.isDirectory);
}
