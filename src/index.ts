export * from './core/index.js';
export * from './config/index.js';
export * from './mlops/index.js';
export * from './datastream/index.js';
export * from './taskqueue/index.js';
export * from './experiment/index.js';
export * from './hub/index.js';
