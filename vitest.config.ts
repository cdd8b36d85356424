import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Nest injects by emitted type metadata, which needs the legacy decorator transform.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  test: {
    include: ['src/**/*.spec.ts', 'test/**/*.spec.ts', 'examples/**/*.spec.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Vitest's own choice on two cores is one at a time; but most suites wait for brokers and timers, not for the processor.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
