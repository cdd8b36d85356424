import type { LoggerService } from '@nestjs/common';

/** Takes what the SDK says of each attempt and channel, and keeps it: what matters is logged by the link, once. */
export class SdkLogger implements LoggerService {
  log(): void {}

  error(): void {}

  warn(): void {}

  debug(): void {}
}
