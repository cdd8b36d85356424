import type { StringMap } from '../../mlops.types.js';

/** A tag, param or alias of some row. */
export interface TagRow {
  owner: string | number;
  key: string;
  value: string | null;
}

/** The tags of each owner as a map. */
export function groupTags(rows: readonly TagRow[]): Map<string | number, StringMap> {
  const entries = groupBy(rows, (row) => row.owner);
  // Object.fromEntries also keeps a key such as `__proto__`.
  return new Map(
    [...entries].map(([owner, tags]) => [owner, Object.fromEntries(tags.map((tag) => [tag.key, tag.value ?? '']))]),
  );
}

/** The rows of each key, in their order. */
export function groupBy<Key, Row>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}
