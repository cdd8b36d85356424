import { Redis } from 'ioredis';
import { serverAnswers } from '../../support/port-truth.js';
import { RabbitBroker } from '../../support/rabbit-broker.js';
import { RedisServer } from '../../support/redis-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { RedisLog } from './redis-log.js';

/** What carries tasks. */
export type ChaosBroker = 'rabbitmq' | 'redis';
/** What the application talks to. */
export type ChaosPart = 'broker' | 'results';

/** A broker and a Redis with the results, of this test alone; the application reaches them through proxies, workers directly. */
export class ChaosStack {
  readonly #silent = new Set<ChaosPart>();

  private constructor(
    readonly kind: ChaosBroker,
    readonly broker: RabbitBroker | RedisServer,
    readonly results: RedisServer,
    readonly proxies: Readonly<Record<ChaosPart, TcpProxy>>,
  ) {}

  /** Starts it. */
  static async open(kind: ChaosBroker): Promise<ChaosStack> {
    // What was acknowledged has to survive `kill -9` of the broker.
    const args = ['--appendfsync', 'always'];
    const broker = kind === 'rabbitmq' ? await RabbitBroker.create() : await RedisServer.create({ args });
    try {
      const results = await RedisServer.create();
      const proxies = { broker: await TcpProxy.start(broker.port), results: await TcpProxy.start(results.port) };
      return new ChaosStack(kind, broker, results, proxies);
    } catch (error) {
      await broker.remove();
      throw error;
    }
  }

  /** URLs of the application. */
  get options(): { brokerUrl: string; backendUrl: string } {
    const { broker, results } = this.proxies;
    return { brokerUrl: this.#brokerUrl(broker.port), backendUrl: `redis://127.0.0.1:${results.port}` };
  }

  /** URLs of workers. */
  get direct(): { broker: string; backend: string } {
    return { broker: this.#brokerUrl(this.broker.port), backend: this.results.url };
  }

  /** What the application cannot reach at the moment, as new connections of our own find it. */
  async away(): Promise<ChaosPart[]> {
    const there = async (part: ChaosPart): Promise<boolean> =>
      !this.#silent.has(part) &&
      (await serverAnswers(part === 'broker' ? this.kind : 'redis', this.proxies[part].port));
    const parts = ['broker', 'results'] as const;
    const found = await Promise.all(parts.map(there));
    return parts.filter((_part, index) => found[index] === false);
  }

  /** Has the network to a part go silent. */
  silence(part: ChaosPart): void {
    this.#silent.add(part);
    this.proxies[part].freeze();
  }

  /** Ends that; what was held arrives. */
  speak(part: ChaosPart): void {
    this.#silent.delete(part);
    this.proxies[part].thaw();
  }

  /** Removes everything from the Redis with the results; resolves to how many keys that were. */
  async flush(): Promise<number> {
    const client = new Redis(this.results.url);
    try {
      const answers = await client.multi().dbsize().flushall().dbsize().exec();
      const [before, , after] = (answers ?? []).map(([, answer]) => Number(answer));
      if (before === undefined || after !== 0) throw new Error('the results were not flushed');
      return before;
    } finally {
      client.disconnect();
    }
  }

  /** Of ids that never ran those of which the broker's own log says that a worker had taken them and lost them. */
  async lostByWorkers(ids: readonly string[]): Promise<string[]> {
    if (this.kind === 'rabbitmq' || ids.length === 0) return [];
    const log = await RedisLog.read(this.broker.folder);
    return ids.filter((id) => log.lostByWorker(id));
  }

  /** Brings everything back that a fault took. */
  async restore(): Promise<void> {
    for (const part of ['broker', 'results'] as const) {
      this.speak(part);
      await this.proxies[part].accept();
      await this[part].start();
    }
  }

  /** Ends it all. */
  async close(): Promise<void> {
    for (const proxy of Object.values(this.proxies)) proxy.stop();
    await Promise.all([this.broker.remove(), this.results.remove()]);
  }

  #brokerUrl(port: number): string {
    return this.kind === 'rabbitmq' ? `amqp://guest:guest@127.0.0.1:${port}` : `redis://127.0.0.1:${port}`;
  }
}
