import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { expect } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { HubError, HubErrorCode } from '../../src/core/errors.js';
import type { BullMQPluginOptions } from '../../src/taskqueue/drivers/bullmq/bullmq.options.js';
import { BullMQPlugin } from '../../src/taskqueue/drivers/bullmq/bullmq.plugin.js';
import { printed } from '../hardening/canaries.js';
import { LogListener } from '../support/log-listener.js';

/** A password that URLs and regular expressions have trouble with. */
export const CANARY = 'canary-p4ss/w@rd%$1';

const FORMS = [CANARY, encodeURIComponent(CANARY), Buffer.from(CANARY).toString('base64')];

/** Whether anything that can be read off `values` holds {@link CANARY}. */
export function tellsCanary(...values: unknown[]): boolean {
  const text = values.map(printed).join('\n');
  return FORMS.some((form) => text.includes(form));
}

/** Plugins of a suite on servers with secrets, and what they log. */
export class GuardedRoom {
  readonly log = new LogListener();
  readonly prefix = `hub-test-${randomBytes(6).toString('hex')}`;
  readonly #plugins: BullMQPlugin[] = [];

  constructor() {
    Logger.overrideLogger(this.log);
  }

  /** An open plugin. */
  async open(options: BullMQPluginOptions): Promise<BullMQPlugin> {
    const plugin = new BullMQPlugin({ prefix: this.prefix, killGrace: 200, ...options });
    this.#plugins.push(plugin);
    await plugin.initialize();
    return plugin;
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

  /** The error of a plugin that does not open; it comes in time and tells no password. */
  async refused(options: BullMQPluginOptions, ...codes: HubErrorCode[]): Promise<HubError> {
    const { connectTimeout = 10_000 } = options;
    const started = performance.now();
    let plugin: BullMQPlugin | undefined;
    const error = await rejectsWith(
      async () => {
        plugin = new BullMQPlugin({ connectTimeout, ...options });
        await plugin.initialize();
      },
      ...codes,
    );
    // As much again for a machine that is busy.
    expect(performance.now() - started).toBeLessThan(2 * connectTimeout + 5_000);
    const health = await plugin?.healthCheck();
    expect(health?.healthy ?? false).toBe(false);
    await plugin?.shutdown();
    expect(tellsCanary(error, health, this.log.lines)).toBe(false);
    return error;
  }

  /** Shuts the plugins down; no line of the log held the password. */
  async close(): Promise<void> {
    await Promise.all(this.#plugins.splice(0).map((plugin) => plugin.shutdown()));
    Logger.overrideLogger(true);
    expect(tellsCanary(this.log.lines)).toBe(false);
  }
}
