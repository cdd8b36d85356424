import { Cluster, Redis, type RedisOptions as ClientOptions } from 'ioredis';
import { withDeadline } from '../core/deadline.js';
import { HubError, type HubErrorOptions } from '../core/errors.js';
import type { StoreLogger } from '../embedded/store-logger.js';
import { disconnected, faultText, redisError } from './redis.errors.js';
import { clientBeside, clusterOptions, isCluster } from './redis.given.js';
import type { RedisOptions } from './redis.options.js';
import { isSecure, tlsOptions, withTlsHint } from './redis.tls.js';

/** A client of one server, or of a cluster. */
export type RedisClient = Redis | Cluster;

/** Longest silence of a server that owes a worker an answer, in ms; what blocks gets one within 10 s. */
const SILENCE = 20_000;
/** How long closing in good order may take, in ms. */
const QUIT_DEADLINE = 1_000;

/** The connections of one plugin. None ends the process by an `error` event, and all of them come back by themselves. */
export class RedisClients {
  /** For calls of the application: they fail at once while there is no connection, and never take longer than commandTimeout. */
  readonly command: RedisClient;
  /** For workers: what is sent waits for the connection. Workers and followers of events duplicate it. */
  readonly patient: RedisClient;
  readonly #all = new Set<RedisClient>();
  #closed = false;
  #opened = false;
  #fault: string | undefined;

  constructor(
    private readonly options: RedisOptions,
    /** What the server shows as the connections' name. */
    private readonly connectionName: string,
    private readonly logger: StoreLogger,
    private readonly source: HubErrorOptions,
    /** A connection of the application's that leads to the server, in place of what the options say of it. */
    private readonly given?: object,
  ) {
    const { commandTimeout } = options;
    // A socket that went silent is given up: TCP would hold on to it for a quarter of an hour.
    this.command = this.#client({
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout,
      socketTimeout: commandTimeout,
    });
    this.patient = this.#client({ maxRetriesPerRequest: null, socketTimeout: SILENCE });
    // BullMQ duplicates it for what blocks, and would not let go of a duplicate that never connected.
    const duplicate = this.patient.duplicate.bind(this.patient) as (...args: never[]) => RedisClient;
    this.patient.duplicate = ((...args: never[]) => this.#own(duplicate(...args))) as never;
  }

  /** Why the connection for calls is down; `undefined` when it is up. */
  get fault(): string | undefined {
    return this.up ? undefined : (this.#fault ?? 'not connected');
  }

  /** Whether calls can be sent. */
  get up(): boolean {
    return isUp(this.command);
  }

  /** Connects. `UNAUTHORIZED` or `UNAVAILABLE` when it does not within connectTimeout. */
  async open(): Promise<void> {
    const { connectTimeout } = this.options;
    const late = (): HubError =>
      new HubError('UNAVAILABLE', `Redis did not answer within ${connectTimeout} ms.`, this.source);
    try {
      await withDeadline(this.command.connect(), connectTimeout, late);
      await withDeadline(this.patient.connect(), connectTimeout, late);
      await this.command.ping();
      this.#opened = true;
    } catch (error) {
      const fault = this.#fault;
      await this.close();
      const failure = redisError(fault === undefined ? error : new Error(fault, { cause: error }), this.source);
      // Nobody can tell a silent server from one that is away, and nothing was sent whose outcome is unknown.
      const told = failure.code === 'TIMEOUT' ? late() : failure;
      // What was given to BullModule is not ours to advise on.
      throw this.given === undefined ? withTlsHint(told, this.options, this.source) : told;
    }
  }

  /** Throws `UNAVAILABLE` while calls cannot be sent. */
  ensureUp(): void {
    if (!this.up) throw disconnected(this.fault, this.source);
  }

  /** A further connection like {@link patient}, for what one alone can do: a subscription, a blocking read. */
  duplicate(): RedisClient {
    // Cluster and Redis have the method alike, with options of their own.
    return (this.patient as Redis).duplicate();
  }

  /** The duplicate that carries `connectionName`. */
  named(connectionName: string): RedisClient | undefined {
    const nameOf = (client: RedisClient): string | undefined =>
      isCluster(client) ? client.options.redisOptions?.connectionName : client.options.connectionName;
    return [...this.#all].find((client) => nameOf(client) === connectionName);
  }

  /** Closes every connection, also those that never connected. */
  async close(): Promise<void> {
    this.#closed = true;
    const clients = [...this.#all];
    this.#all.clear();
    await Promise.all(
      clients.map(async (client) => {
        if (isUp(client)) await withDeadline(client.quit(), QUIT_DEADLINE).catch(() => undefined);
        client.disconnect();
      }),
    );
  }

  #client(own: ClientOptions): RedisClient {
    const { url, host, port, sentinel, cluster, connectTimeout } = this.options;
    const ways: ClientOptions = {
      ...own,
      connectTimeout,
      connectionName: this.connectionName,
      lazyConnect: true,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), 2_000),
    };
    if (this.given !== undefined) return this.#own(clientBeside(this.given, ways));
    const common: ClientOptions = { ...ways, ...login(this.options), ...tlsOptions(this.options, this.source) };
    if (cluster !== undefined) return this.#own(new Cluster(cluster, clusterOptions(common)));
    if (sentinel !== undefined) {
      const { nodes, name, username, password } = sentinel;
      return this.#own(
        new Redis({
          ...common,
          sentinels: nodes,
          name,
          ...(username === undefined ? {} : { sentinelUsername: username }),
          ...(password === undefined ? {} : { sentinelPassword: password }),
        }),
      );
    }
    if (url === undefined) return this.#own(new Redis({ ...common, host, port }));
    return this.#own(new Redis(withLogin(url, this.options), common));
  }

  #own<C extends RedisClient>(client: C): C {
    // Without a listener an error event would end the process.
    client.on('error', (error: unknown) => this.#failed(error));
    client.on('ready', () => this.#worked(client));
    client.on('end', () => this.#all.delete(client));
    // BullMQ ends a blocking connection that hangs, and connects the same client again.
    client.on('connecting', () => this.#keep(client));
    this.#keep(client);
    return client;
  }

  #keep(client: RedisClient): void {
    this.#all.add(client);
    if (this.#closed) client.disconnect();
  }

  #failed(error: unknown): void {
    const fault = faultText(error);
    if (this.#closed || fault === this.#fault) return;
    this.#fault = fault;
    // Before that, who opens it is told.
    if (this.#opened) this.logger.warn(`the connection to Redis is lost: ${fault}`);
  }

  #worked(client: RedisClient): void {
    if (client !== this.command || this.#fault === undefined) return;
    this.#fault = undefined;
    this.logger.log('connected to Redis again.');
  }
}

/** Whether a client can send. A client of a cluster is `connect` where one of a server is `ready`. */
export function isUp(client: RedisClient): boolean {
  return client.status === 'ready' || (isCluster(client) && client.status === 'connect');
}

function login({ username, password, db }: RedisOptions): ClientOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
  };
}

/** What is given beside a URL counts; ioredis would take the URL's. */
function withLogin(url: string, { username, password, db, tls = {} }: RedisOptions): string {
  const address = new URL(url);
  if (!isSecure({ url, tls })) address.protocol = 'redis:';
  if (username !== undefined) address.username = encodeURIComponent(username);
  if (password !== undefined) address.password = encodeURIComponent(password);
  if (db !== undefined) address.pathname = `/${db}`;
  return address.href;
}
