export {
  BUFFER_DEFAULTS,
  SPOOL_DEFAULTS,
  spoolFolder,
  type BufferOptions,
  type SpoolOptions,
} from './buffer.options.js';
export type { BufferStatus } from './buffer-status.js';
export { RunWriteBuffer } from './run-write-buffer.js';
export { isOutage, isPassing, type RunWriter } from './run-writer.js';
export type { RejectedWrite } from './spool.schema.js';
