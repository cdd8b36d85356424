import type { HubPlugin } from './plugin.js';

/**
 * Plugin type name → class. Each plugin type adds itself here by declaration merging, and so can an application:
 *
 * ```ts
 * declare module 'nestjs-experiment-hub' {
 *   interface PluginTypes { featurestore: FeatureStorePlugin }
 * }
 * ```
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface PluginTypes {}

/** Name of a known plugin type. */
export type PluginTypeName = keyof PluginTypes & string;

/** The class behind a plugin type name; `HubPlugin` for names that nobody has declared. */
export type PluginOfType<Type extends string> = Type extends keyof PluginTypes ? PluginTypes[Type] : HubPlugin;
