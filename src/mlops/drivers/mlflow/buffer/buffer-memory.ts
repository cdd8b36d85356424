import type { NumberedWrite } from './run-write.js';

/** Counts what waits in memory, and says when it is too much. */
export class BufferMemory {
  #items = 0;
  #bytes = 0;

  constructor(
    private readonly maxItems: number,
    private readonly maxBytes: number,
  ) {}

  /** Metrics, params and tags in memory. */
  get items(): number {
    return this.#items;
  }

  /** Whether there is room. A write that is larger than all the room fits when nothing else is there. */
  fits({ items, bytes }: NumberedWrite): boolean {
    return this.#items === 0 || (this.#items + items <= this.maxItems && this.#bytes + bytes <= this.maxBytes);
  }

  take({ items, bytes }: NumberedWrite): void {
    this.#items += items;
    this.#bytes += bytes;
  }

  give({ items, bytes }: NumberedWrite): void {
    this.#items -= items;
    this.#bytes -= bytes;
  }
}
