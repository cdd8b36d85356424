export * from './hub-config.types.js';
export { hubConfigFactory } from './hub-config.factory.js';
export { hubConfigJsonSchema } from './hub-config.json-schema.js';
export { hubConfigSchema } from './hub-config.schema.js';
export { DEFAULT_CONFIG_PATH, loadHubConfig, parseHubConfig } from './load-hub-config.js';
export { validateHubConfig } from './validate-hub-config.js';
