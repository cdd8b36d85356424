import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { tellsCanary } from '../support/canary.js';
import { GuardedRoom } from '../support/guarded-room.js';

/** Plugins of a suite on Redis servers with secrets, with a key prefix of its own. */
export class GuardedBullMQRoom extends GuardedRoom<BullMQPluginOptions, BullMQPlugin> {
  readonly prefix = `hub-test-${randomBytes(6).toString('hex')}`;

  protected make(options: BullMQPluginOptions): BullMQPlugin {
    return new BullMQPlugin({ prefix: this.prefix, killGrace: 200, ...options });
  }

  /** Whether tasks are submitted, run and answered, over all connections of a plugin, which stays open. */
  async works(options: BullMQPluginOptions): Promise<boolean> {
    const plugin = await this.open(options);
    await plugin.registerTask('ours', ({ args }) => args[0] ?? null);
    expect(await plugin.getResult(await plugin.submitTask('ours', { args: ['safe'] }), { timeout: 15_000 })).toBe(
      'safe',
    );
    const { healthy, details } = await plugin.healthCheck();
    expect(tellsCanary(details)).toBe(false);
    return healthy;
  }
}
