import { Logger } from '@nestjs/common';
import { expect } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { HubError, HubErrorCode } from '../../src/core/errors.js';
import type { HubPlugin } from '../../src/core/plugin.js';
import { tellsCanary } from './canary.js';
import { LogListener } from './log-listener.js';

/** Plugins of a suite on servers with secrets, and what they log. The password is `CANARY`. */
export abstract class GuardedRoom<Options extends { connectTimeout?: number }, Plugin extends HubPlugin> {
  readonly log = new LogListener();
  readonly #plugins: Plugin[] = [];

  constructor() {
    Logger.overrideLogger(this.log);
  }

  /** A new plugin, not initialized. */
  protected abstract make(options: Options): Plugin;

  /** An open plugin. */
  async open(options: Options): Promise<Plugin> {
    const plugin = this.make(options);
    this.#plugins.push(plugin);
    await plugin.initialize();
    return plugin;
  }

  /** The error of a plugin that does not open; it comes in time and tells no password. */
  async refused(options: Options, ...codes: HubErrorCode[]): Promise<HubError> {
    const { connectTimeout = 10_000 } = options;
    const started = performance.now();
    let plugin: Plugin | undefined;
    const error = await rejectsWith(
      async () => {
        plugin = this.make({ ...options, connectTimeout });
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

  /** Shuts the plugins down; no line of the log held the password. It can be used again. */
  async close(): Promise<void> {
    await Promise.all(this.#plugins.splice(0).map((plugin) => plugin.shutdown()));
    expect(tellsCanary(this.log.lines)).toBe(false);
  }
}
