import type { LoggerService } from '@nestjs/common';
import type { StoreLogger } from '../embedded/store-logger.js';

/** What the SDK says of each attempt and channel, at debug level: what matters is logged by the link, once. */
export class SdkLogger implements LoggerService {
  constructor(private readonly logger: StoreLogger) {}

  log(message: unknown): void {
    this.logger.debug(String(message));
  }

  error(message: unknown): void {
    this.log(message);
  }

  warn(message: unknown): void {
    this.log(message);
  }

  debug(message: unknown): void {
    this.log(message);
  }
}
