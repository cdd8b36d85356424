import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { point, tag } from '../../../../../test/mlflow/buffer/scripted-runs.js';
import { caught, SpooledBuffers } from '../../../../../test/mlflow/buffer/spooled-buffers.js';
import { RunWriteBuffer } from './run-write-buffer.js';
import { SpoolFile } from './spool-file.js';
import { Spool } from './spool.js';

const RETRY = { delay: 10, factor: 2, maxDelay: 40, jitter: 0.5 };
const SOON = { timeout: 10_000, interval: 5 };

describe('a spool that has trouble', () => {
  const buffers = new SpooledBuffers(RETRY);

  const large = tag('t', 'x'.repeat(6_000));
  const rejectOne = async (buffer: RunWriteBuffer, runId: string): Promise<void> => {
    const { rejected } = buffer.status();
    buffers.server.goAway();
    await buffer.write(runId, large);
    buffers.server.deleted.add(runId);
    buffers.server.comeBack();
    await expect.poll(() => buffer.status(), SOON).toMatchObject({ rejected: rejected + 1, spooled: 0, state: 'up' });
  };

  it('what was rejected counts against maxBytes until it is forgotten, also after a restart and in an heir', async () => {
    const [other, first] = [await buffers.open({}, 10_000), await buffers.open({}, 10_000)];
    await rejectOne(first, 'gone');
    const { spooledBytes } = first.status();
    expect(spooledBytes).toBeGreaterThan(6_000);
    await first.close();
    await other.close();
    const heir = await buffers.open({}, 10_000);
    expect(heir.status()).toMatchObject({ rejected: 1, spooledBytes });
    await heir.close();
    const next = await buffers.open({}, 10_000);
    expect(next.status()).toMatchObject({ rejected: 1, spooledBytes });
    buffers.server.goAway();
    expect(await caught(next.write('r', large))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('rejected') as string,
    });
    expect(next.status().fault).toMatch(/holds its 10000 bytes/);
    expect(next.forget(next.rejected()[0]?.id ?? -1)).toBe(true);
    expect(next.status()).not.toHaveProperty('fault');
    expect(next.status().spooledBytes).toBe(0);
    await next.write('r', large);
  });

  it('says why it takes nothing until it does again, and its status does not fail with the disk', async () => {
    const buffer = await buffers.open();
    buffers.server.goAway();
    await buffer.write('r', point(0));
    expect(buffer.status()).not.toHaveProperty('fault');
    const broken = vi.spyOn(SpoolFile.prototype, 'insert').mockImplementation(() => {
      throw new Error('disk I/O error');
    });
    vi.spyOn(SpoolFile.prototype, 'oldest').mockImplementation(() => {
      throw new Error('disk I/O error');
    });
    expect(await caught(buffer.write('r', point(1)))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(buffer.status()).toMatchObject({ oldest: null, fault: expect.stringContaining('disk I/O error') as string });
    broken.mockRestore();
    await buffer.write('r', point(2));
    expect(buffer.status()).not.toHaveProperty('fault');
  });

  it('what it cannot take over or close ends no process, and is logged once', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error');
    const unhandled: unknown[] = [];
    const note = (error: unknown): number => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const [first, second] = [await buffers.open(), await buffers.open({ adoptInterval: 10 })];
      buffers.server.goAway();
      await first.write('r', point(0));
      await first.close();
      const head = vi.spyOn(SpoolFile.prototype, 'head').mockImplementation(() => {
        throw new Error('unreadable');
      });
      await expect.poll(() => head.mock.calls.length, SOON).toBeGreaterThan(3);
      expect(logged.mock.calls.filter(([line]) => String(line).includes('unreadable')).length).toBe(1);
      vi.spyOn(SpoolFile.prototype, 'close').mockImplementationOnce(() => {
        throw new Error('disk I/O error');
      });
      head.mockRestore();
      await expect.poll(() => second.status().spooled, SOON).toBe(1);
      const adopt = vi.spyOn(Spool.prototype, 'adopt').mockRejectedValue(new Error('no more files'));
      await expect.poll(() => adopt.mock.calls.length, SOON).toBeGreaterThan(3);
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(unhandled).toEqual([]);
      expect(logged.mock.calls.filter(([line]) => String(line).includes('no more files')).length).toBe(1);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
