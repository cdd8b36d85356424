import { expect } from 'vitest';
import type { RabbitMQPluginOptions } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.options.js';
import type { RabbitMQPlugin } from '../../../src/datastream/drivers/rabbitmq/rabbitmq.plugin.js';
import { ChaosLoad } from './chaos-load.js';
import { openChaosPlugin } from './chaos-plugin.js';
import { CHAOS, HEARTBEAT_MS, RETURN_MS } from './chaos-size.js';
import { HealthWatch } from './health-watch.js';
import { Witness } from './witness.js';

/** Longest time in ms that health may say up although the consumer is not attached. */
const FALSE_UP_MS = 2 * HEARTBEAT_MS;

/** Where a {@link ChaosScene} plays. */
export interface ChaosSceneOptions {
  /** The broker, as the driver reaches it. */
  url: string;
  /** The broker itself, for the witness. Default: the same. */
  direct?: string;
  queue: string;
  options?: RabbitMQPluginOptions;
  /** See `ChaosLoadOptions`. */
  failing?: boolean;
}

/** A plugin that sends to and consumes from one queue while its health is watched. */
export class ChaosScene {
  private constructor(
    readonly queue: string,
    readonly plugin: RabbitMQPlugin,
    readonly load: ChaosLoad,
    readonly watch: HealthWatch,
    private readonly witness: Witness,
  ) {}

  /** Opens it; the load runs from now on. */
  static async open({
    url,
    direct = url,
    queue,
    options = {},
    failing = true,
  }: ChaosSceneOptions): Promise<ChaosScene> {
    const plugin = await openChaosPlugin(url, options);
    await plugin.createQueue(queue);
    const { publishTimeout } = options;
    const load = new ChaosLoad(plugin, queue, {
      ...(publishTimeout === undefined ? {} : { publishTimeout }),
      failing,
    });
    await load.consume();
    const witness = new Witness(direct);
    const scene = new ChaosScene(queue, plugin, load, new HealthWatch(plugin, queue, witness), witness);
    load.start();
    return scene;
  }

  /** Ends the load at {@link CHAOS}`.messages` confirmed ones, checks what holds in every scene, and closes it. */
  async end(fits?: Parameters<ChaosLoad['arrived']>[1]): Promise<string> {
    const { load, watch, plugin, queue } = this;
    try {
      await load.reached(CHAOS.messages);
      await load.stop();
      const lost = await load.arrived(60_000, fits);
      await watch.saw(({ healthy }) => healthy, 'up in the end');
      await watch.stop();
      expect(lost.slice(0, 5), `${queue}: ${lost.length} lost, ${this.figures}`).toEqual([]);
      expect(load.ledger.faults, `${queue}: other messages than were sent`).toEqual([]);
      expect(watch.falseUp, `${queue}: up for so many ms while it was not attached`).toBeLessThanOrEqual(FALSE_UP_MS);
      expect(watch.falseDown, `${queue}: down for so many ms while it was attached`).toBeLessThanOrEqual(RETURN_MS);
      expect((await plugin.queueInfo(queue)).deadLetters).toBe(0);
      return this.figures;
    } finally {
      await this.close();
    }
  }

  /** Closes what is open. */
  async close(): Promise<void> {
    await this.watch.stop();
    await this.plugin.shutdown();
    await this.witness.close();
  }

  /** For the log of the tests. */
  get figures(): string {
    const { ledger, rejected, failed } = this.load;
    const { counts, falseUp, falseDown } = this.watch;
    return (
      `${this.queue}: ${ledger.confirmed.size} confirmed, ${ledger.duplicates} duplicates, ` +
      `${failed} retried, ${rejected.length} sends rejected; health: ${counts}, falsely up ${falseUp.toFixed(0)} ms, ` +
      `falsely down ${falseDown.toFixed(0)} ms`
    );
  }
}
