export { DataStreamHealthIndicator } from './datastream.health.js';
export { DataStreamModule } from './datastream.module.js';
export { DataStreamPlugin } from './datastream.plugin.js';
export * from './datastream.types.js';
export { OnData, type OnDataOptions, type OnDataQueueOptions } from './on-data.decorator.js';
export { RejectMessage, type RejectMessageOptions } from './reject-message.js';
export {
  idempotentBatchHandler,
  idempotentHandler,
  type HandledMessages,
  type IdempotentHandlerOptions,
} from './idempotent-handler.js';
export { MemoryHandledMessages } from './memory-handled-messages.js';
