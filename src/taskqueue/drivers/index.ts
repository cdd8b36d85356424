// One line per driver; the export's name is the driver's.
export { default as bullmq } from './bullmq/index.js';
export { default as celery } from './celery/index.js';
export { default as local } from './local/index.js';
