import type { Metric } from '../../../mlops.types.js';
import { comparePoints, type MetricColumns } from './metric-columns.js';

interface Cursor {
  columns: MetricColumns;
  next: number;
  point: Metric;
}

/**
 * The points of sorted pages in one order, those that are equal in step, timestamp and value once (a point that was added
 * while the pages were read can make another come on two of them). Merges as it is read, so no step of it takes long.
 */
export function* mergePages(pages: readonly MetricColumns[], key: string): Generator<Metric, void, undefined> {
  const heap: Cursor[] = [];
  for (const columns of pages) {
    if (columns.length > 0) siftUp(heap, { columns, next: 1, point: columns.at(0, key) });
  }
  let last: Metric | undefined;
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    const { point, columns } = top;
    if (last === undefined || comparePoints(last, point) !== 0) yield (last = point);
    if (top.next < columns.length) {
      top.point = columns.at(top.next, key);
      top.next += 1;
    } else {
      const end = heap.pop();
      if (end === undefined || heap.length === 0) return;
      heap[0] = end;
    }
    siftDown(heap);
  }
}

function siftUp(heap: Cursor[], cursor: Cursor): void {
  heap.push(cursor);
  for (let at = heap.length - 1; at > 0;) {
    const parent = (at - 1) >> 1;
    if (!swapIfAfter(heap, parent, at)) return;
    at = parent;
  }
}

function siftDown(heap: Cursor[]): void {
  for (let at = 0; ;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    if (left === undefined) return;
    const child = right !== undefined && comparePoints(right.point, left.point) < 0 ? 2 * at + 2 : 2 * at + 1;
    if (!swapIfAfter(heap, at, child)) return;
    at = child;
  }
}

/** Swaps parent and child when the parent belongs after the child. */
function swapIfAfter(heap: Cursor[], parent: number, child: number): boolean {
  const [a, b] = [heap[parent], heap[child]];
  if (a === undefined || b === undefined || comparePoints(a.point, b.point) <= 0) return false;
  heap[parent] = b;
  heap[child] = a;
  return true;
}
