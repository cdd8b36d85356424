// One line per driver; the export's name is the driver's.
export { default as local } from './local/index.js';
export { default as rabbitmq } from './rabbitmq/index.js';
