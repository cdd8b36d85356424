import { CeleryPlugin } from '../../src/taskqueue/drivers/celery/celery.plugin.js';
import type { CeleryPluginOptions } from '../../src/taskqueue/drivers/celery/celery.options.js';
import { CeleryWorker } from '../support/celery-worker.js';
import { RabbitVhost } from '../support/rabbit-vhost.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** A broker, a Redis of its own with the results, a worker that reaches them directly, and plugins that do by proxies. */
export class OutageRoom {
  readonly #plugins: CeleryPlugin[] = [];

  private constructor(
    /** With the results; it can be stopped. */
    readonly results: RedisServer,
    readonly toBroker: TcpProxy,
    readonly toResults: TcpProxy,
    private readonly brokerUrl: string,
    private readonly worker: CeleryWorker,
    private readonly end: () => Promise<void>,
  ) {}

  /** Starts it. */
  static async open(broker: 'rabbitmq' | 'redis', python: string): Promise<OutageRoom> {
    const results = await RedisServer.create();
    const { url, remove } = await brokerOf(broker);
    const { hostname, port } = new URL(url);
    const worker = await CeleryWorker.start({ python, broker: url, backend: results.url });
    const toBroker = await TcpProxy.start(Number(port), hostname);
    return new OutageRoom(results, toBroker, await TcpProxy.start(results.port), url, worker, remove);
  }

  /** A plugin that is not open. */
  make({ amqp = {}, ...options }: CeleryPluginOptions = {}): CeleryPlugin {
    const brokerUrl = new URL(this.brokerUrl);
    brokerUrl.host = `127.0.0.1:${this.toBroker.port}`;
    const redis = { connectTimeout: 2_000, commandTimeout: 1_000 };
    const plugin = new CeleryPlugin({
      brokerUrl: brokerUrl.href,
      backendUrl: `redis://127.0.0.1:${this.toResults.port}`,
      amqp: { connectTimeout: 2_000, heartbeat: 1_000, ...amqp },
      redisBroker: redis,
      redisBackend: redis,
      ...options,
    });
    this.#plugins.push(plugin);
    return plugin;
  }

  /** A plugin that is open. */
  async plugin(options?: CeleryPluginOptions): Promise<CeleryPlugin> {
    const plugin = this.make(options);
    await plugin.initialize();
    return plugin;
  }

  /** Has a network connection end, and refuses new ones. */
  cut(proxy: TcpProxy): void {
    proxy.refuse();
    proxy.cut();
  }

  /** Ends every outage and the plugins. */
  async restore(): Promise<void> {
    await this.results.start();
    for (const proxy of [this.toBroker, this.toResults]) {
      proxy.thaw();
      await proxy.accept();
    }
    await Promise.all(this.#plugins.splice(0).map((plugin) => plugin.shutdown()));
  }

  /** Ends it all. */
  async close(): Promise<void> {
    this.toBroker.stop();
    this.toResults.stop();
    await this.worker.remove();
    await Promise.all([this.results.remove(), this.end()]);
  }
}

async function brokerOf(kind: 'rabbitmq' | 'redis'): Promise<{ url: string; remove: () => Promise<void> }> {
  if (kind === 'redis') {
    const server = await RedisServer.create();
    return { url: server.url, remove: async () => server.remove() };
  }
  const vhost = await RabbitVhost.open('celery-outage');
  return { url: vhost.url, remove: async () => vhost.remove() };
}
