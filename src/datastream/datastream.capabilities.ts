import type { DataStreamPlugin } from './datastream.plugin.js';
import type { DataStreamSupports } from './datastream.types.js';

/** Capability → the methods that reject with `UNSUPPORTED` without it. docs/drivers.md is generated from it. */
export const DATASTREAM_CAPABILITIES: Record<keyof DataStreamSupports, readonly (keyof DataStreamPlugin)[]> = {
  // Only the option `priority` of a send.
  priority: [],
  durable: [],
};
