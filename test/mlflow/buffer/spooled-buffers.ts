import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, vi } from 'vitest';
import type { RetryPolicy } from '../../../src/core/retry.js';
import type { BufferOptions } from '../../../src/mlops/drivers/mlflow/buffer/buffer.options.js';
import { RunWriteBuffer } from '../../../src/mlops/drivers/mlflow/buffer/run-write-buffer.js';
import { ScriptedRuns } from './scripted-runs.js';

/** Write buffers on a scripted server and a spool folder, new for each test; the log is silent meanwhile. */
export class SpooledBuffers {
  folder = '';
  server = new ScriptedRuns();
  readonly #opened: RunWriteBuffer[] = [];

  /** To be made within the `describe` whose tests use it. */
  constructor(private readonly retry: RetryPolicy) {
    beforeEach(async () => {
      this.folder = await mkdtemp(join(tmpdir(), 'hub-spool-'));
      this.server = new ScriptedRuns();
      Logger.overrideLogger(false);
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      for (const buffer of this.#opened.splice(0)) await buffer.close();
      await rm(this.folder, { recursive: true, force: true });
      Logger.overrideLogger(true);
    });
  }

  /** Opens one; it is closed after the test. @param maxBytes of the spool */
  async open(options: BufferOptions = {}, maxBytes = 100_000_000): Promise<RunWriteBuffer> {
    const spool = { folder: this.folder, maxBytes };
    return this.closeAfter(await RunWriteBuffer.open(this.server, { spool, retry: this.retry, ...options }));
  }

  /** Has a buffer closed after the test. */
  closeAfter(buffer: RunWriteBuffer): RunWriteBuffer {
    this.#opened.push(buffer);
    return buffer;
  }
}

/** What `work` rejected with, or `undefined`. */
export function caught(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
