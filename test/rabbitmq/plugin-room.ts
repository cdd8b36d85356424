import { Logger } from '@nestjs/common';
import { expect } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { HubError, HubErrorCode } from '../../src/core/errors.js';
import type { RabbitMQPluginOptions } from '../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import { RabbitMQPlugin } from '../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
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

/** Plugins of a suite, and what they log. */
export class PluginRoom {
  readonly log = new LogListener();
  readonly #plugins: RabbitMQPlugin[] = [];

  constructor() {
    Logger.overrideLogger(this.log);
  }

  /** An open plugin. */
  async open(options: RabbitMQPluginOptions): Promise<RabbitMQPlugin> {
    const plugin = new RabbitMQPlugin(options);
    this.#plugins.push(plugin);
    await plugin.initialize();
    return plugin;
  }

  /** The error of a plugin that does not open; it comes in time and tells no password. */
  async refused(options: RabbitMQPluginOptions, ...codes: HubErrorCode[]): Promise<HubError> {
    const { connectTimeout = 10_000 } = options;
    const started = performance.now();
    let plugin: RabbitMQPlugin | undefined;
    const error = await rejectsWith(
      async () => {
        plugin = new RabbitMQPlugin({ connectTimeout, ...options });
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
    expect(tellsCanary(this.log.lines)).toBe(false);
  }
}
