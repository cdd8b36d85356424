import { inspect } from 'node:util';
import { Module, type DynamicModule } from '@nestjs/common';
import Joi from 'joi';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { DataStreamPlugin, defineDriver, type JsonObject } from '../../src/index.js';

/** The moments at which the driver can throw everything that it knows. */
export const FAILURES = ['register', 'construct', 'initialize', 'health', 'drain', 'shutdown'] as const;
/** One of {@link FAILURES}; `call` is a method that maps its error by `this.error()`, `subscribe` and `raw` are some that do not. */
export type Failure = (typeof FAILURES)[number] | 'call' | 'subscribe' | 'raw';

/** Options of the driver: secrets of every kind. */
export interface VaultOptions {
  failAt: Failure[];
  password?: string;
  pin?: number;
  url?: string;
  tokens: string[];
  auth: { user?: string; apiKey?: string; nested: { certificate?: string } };
  accounts: { name: string; secret?: string }[];
  headers: Record<string, string>;
  credentials: Record<string, unknown>;
  mode: 'plain' | 'signed';
  key?: string;
  plainUrls: string[];
}

const secret = Joi.string().meta({ secret: true });

/** A class of errors with everything in it that a client library may hang on one. */
class VaultError extends Error {
  readonly #options: VaultOptions;
  readonly errors: Error[];

  constructor(
    where: string,
    readonly config: VaultOptions,
  ) {
    const all = inspect(config, { depth: null });
    super(`${where} refused: ${all}`, {
      cause: Object.assign(new TypeError(`cause ${all}`, { cause: { reason: all, cause: new RangeError(all) } }), {
        config,
      }),
    });
    this.name = 'VaultError';
    this.#options = config;
    this.errors = [new Error(`inner ${all}`), new AggregateError([new Error(all)], all)];
    Object.assign(this, {
      [Symbol.for('request')]: all,
      headers: new Map([
        ['authorization', config.password],
        [config.password ?? '', 'x'],
      ]),
      seen: new Set(config.tokens),
      request: new (class Request {
        readonly body = Buffer.from(all);
        readonly url = config.url === undefined ? undefined : new URL(config.url);
        readonly options = config;
        readonly self: unknown = this;
      })(),
      retry: () => this.#options,
      [`key ${config.password}`]: 1,
    });
    Object.defineProperty(this, 'hidden', { value: { deep: [all] }, enumerable: false });
    Object.defineProperty(this, 'computed', { get: () => all, enumerable: true });
  }
}

/** A datastream in memory that fails where it is told to, and then tells everything. */
export class VaultPlugin extends LocalDataStreamPlugin {
  override readonly driver = 'vault';
  readonly #vault: VaultOptions;

  constructor(options: VaultOptions) {
    super({ dataDir: ':memory:', durability: 'process', maxPayloadBytes: 1_048_576, queues: [] });
    this.#vault = options;
    if (options.failAt.includes('construct')) throw new VaultError('construct', options);
  }

  override async deleteQueue(queue: string): Promise<void> {
    if (this.#fails('raw')) throw new VaultError('deleteQueue', this.#vault);
    return super.deleteQueue(queue);
  }

  override async flushQueue(queue: string): Promise<number> {
    if (!this.#fails('call')) return super.flushQueue(queue);
    const cause = new VaultError('flushQueue', this.#vault);
    throw this.error('UNAVAILABLE', 'flushQueue', cause.message, { cause, details: { sent: { ...this.#vault } } });
  }

  override async subscribe(...args: Parameters<LocalDataStreamPlugin['subscribe']>) {
    if (this.#fails('subscribe')) throw new VaultError('subscribe', this.#vault);
    return super.subscribe(...args);
  }

  protected override async onInitialize(): Promise<void> {
    if (this.#fails('initialize')) throw new VaultError('initialize', this.#vault);
    await super.onInitialize();
  }

  protected override async onDrain(): Promise<void> {
    await super.onDrain();
    if (this.#fails('drain')) throw new VaultError('drain', this.#vault);
  }

  protected override async onShutdown(): Promise<void> {
    await super.onShutdown();
    if (this.#fails('shutdown')) throw new VaultError('shutdown', this.#vault);
  }

  protected override async onHealthCheck(): Promise<JsonObject> {
    if (this.#fails('health')) throw new VaultError('health', this.#vault);
    return { vault: JSON.parse(JSON.stringify(this.#vault)) as JsonObject, [`key ${this.#vault.password}`]: true };
  }

  #fails(failure: Failure): boolean {
    return this.#vault.failAt.includes(failure);
  }
}

@Module({})
class VaultModule {
  static register(options: VaultOptions): DynamicModule {
    if (options.failAt.includes('register')) throw new VaultError('register', options);
    const plugin = { provide: DataStreamPlugin, useFactory: () => new VaultPlugin(options) };
    return { module: VaultModule, providers: [plugin], exports: [plugin] };
  }
}

/** Its schema, with a message of its own that quotes the value. */
export const vaultSchema = Joi.object<VaultOptions>({
  failAt: Joi.array().items(Joi.string()).default([]),
  password: secret.min(3).messages({ 'string.min': '{{#label}} {{#value}} is too short' }),
  pin: Joi.number().meta({ secret: true }),
  url: secret.uri(),
  tokens: Joi.array().items(secret).default([]),
  auth: Joi.object({
    user: Joi.string(),
    apiKey: secret,
    nested: Joi.object({ certificate: secret }).default({}),
  }).default({ nested: {} }),
  accounts: Joi.array()
    .items(Joi.object({ name: Joi.string().required(), secret }))
    .default([]),
  headers: Joi.object().pattern(Joi.string(), secret).default({}),
  credentials: Joi.object().meta({ secret: true }).default({}),
  mode: Joi.string().valid('plain', 'signed').default('plain'),
  key: Joi.when('mode', { is: 'signed', then: secret, otherwise: Joi.forbidden() }),
  // Not marked: their passwords are found by their form.
  plainUrls: Joi.array().items(Joi.string()).default([]),
});

/** The driver `datastream/vault`. */
export const vaultDriver = defineDriver<VaultOptions>({
  type: 'datastream',
  name: 'vault',
  label: 'Vault',
  peers: [],
  schema: vaultSchema,
  load: async () => VaultModule,
});
