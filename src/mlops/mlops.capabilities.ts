import type { MLOpsPlugin } from './mlops.plugin.js';
import type { MLOpsSupports } from './mlops.types.js';

/** Capability → the methods that reject with `UNSUPPORTED` without it. docs/drivers.md is generated from it. */
export const MLOPS_CAPABILITIES: Record<keyof MLOpsSupports, readonly (keyof MLOpsPlugin)[]> = {
  trackingUri: ['setTrackingUri'],
  experimentTagDeletion: ['deleteExperimentTag'],
  durable: [],
};
