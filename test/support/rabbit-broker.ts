import { existsSync } from 'node:fs';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { LeashedProcess } from './leashed-process.js';
import { freePort } from './mlflow-server.js';
import { makeCertificates, type RabbitCertificates } from './rabbit-certificates.js';
import { RabbitManagement, type RabbitQueue } from './rabbit-management.js';
import { run } from './run-command.js';
import { probeTcp, untilReady } from './tcp-ready.js';

/** Debian's place for the real programs; those in the PATH there insist on a user of their own. */
const DEBIAN = '/usr/lib/rabbitmq/bin';
/** How long a node may take to start, in ms: five seconds on an idle machine. */
const START_DEADLINE = 120_000;
/** How long a node may take to end by itself, in ms: it takes six seconds. */
const STOP_DEADLINE = 60_000;
const COMMAND_DEADLINE = 60_000;
/** Erlang listens for other nodes on every address otherwise. */
const LOOPBACK = '-kernel inet_dist_use_interface {127,0,0,1}';

/** How a node is made. */
export interface RabbitBrokerOptions {
  /** Port of AMQP. Default: any that is free. */
  port?: number;
  /** Port of the management API. Default: any that is free. */
  managementPort?: number;
  /** A listener for TLS as well, with certificates of its own. Default false. */
  tls?: boolean;
  /** More lines of `rabbitmq.conf`. */
  config?: readonly string[];
}

/** A connection, as the node itself sees it. */
export interface RabbitConnection {
  /** Client and server, e.g. `127.0.0.1:50000 -> 127.0.0.1:5672`. */
  peers: string;
  /** What the client calls itself: `connection_name` of its properties, empty when it has none. */
  name: string;
  vhost: string;
  user: string;
  /** E.g. `running`, `blocked`, `blocking`. */
  state: string;
}

/** A TLS listener and what clients need for it. */
export interface RabbitTls extends RabbitCertificates {
  readonly port: number;
  /** `amqps://…` */
  readonly url: string;
}

/**
 * A RabbitMQ node of its own on a temporary folder, with the management API, on 127.0.0.1 only. What is stored survives
 * {@link stop}, {@link kill} and {@link start}, at the same ports. It ends with this process.
 */
export class RabbitBroker {
  /** Calls that are quick; see {@link ctl} for the rest. */
  readonly management: RabbitManagement;
  #epmd: LeashedProcess | undefined;
  #node: LeashedProcess | undefined;

  private constructor(
    /** A temporary folder, removed by {@link remove}. */
    readonly folder: string,
    readonly port: number,
    readonly managementPort: number,
    /** The TLS listener, when it was asked for. */
    readonly tls: RabbitTls | undefined,
    private readonly epmdPort: number,
    private readonly distributionPort: number,
  ) {
    this.management = new RabbitManagement(`http://127.0.0.1:${managementPort}`);
  }

  /** Whether RabbitMQ is installed on this machine. */
  static get isInstalled(): boolean {
    return programs() !== undefined;
  }

  /** Starts one on a new folder; takes about six seconds. */
  static async create(options: RabbitBrokerOptions = {}): Promise<RabbitBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'hub-rabbitmq-'));
    const tlsPort = await freePort();
    const tls = options.tls
      ? { ...(await makeCertificates(folder)), port: tlsPort, url: `amqps://guest:guest@localhost:${tlsPort}` }
      : undefined;
    const ports = [options.port ?? (await freePort()), options.managementPort ?? (await freePort())] as const;
    const broker = new RabbitBroker(folder, ...ports, tls, await freePort(), await freePort());
    try {
      await broker.#configure(options.config ?? []);
      await broker.start();
      return broker;
    } catch (error) {
      await broker.remove();
      throw error;
    }
  }

  /** With the user `guest` and the default vhost. */
  get amqpUrl(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** Everything that it printed and logged since it was created. */
  async log(): Promise<string> {
    return readFile(this.#output, 'utf8').catch(() => '');
  }

  /** Starts it on what is stored; resolves when all its listeners answer. */
  async start(): Promise<void> {
    if (this.#node !== undefined) return;
    const bin = programs();
    if (bin === undefined) throw new Error('there is no RabbitMQ. Install the package rabbitmq-server.');
    const options = { env: this.#env, cwd: this.folder, output: this.#output };
    // Erlang would leave a name server behind that nobody stops.
    if (this.#epmd === undefined) {
      const args = ['-port', String(this.epmdPort), '-address', '127.0.0.1'];
      this.#epmd = await LeashedProcess.start('epmd', args, options);
      await untilReady('epmd', async () => probeTcp(this.epmdPort), START_DEADLINE);
    }
    const node = await LeashedProcess.start(join(bin, 'rabbitmq-server'), [], { ...options, litter: this.folder });
    this.#node = node;
    try {
      await untilReady('RabbitMQ', async () => this.#problem(node), START_DEADLINE);
    } catch (error) {
      await this.kill();
      throw new Error(`${String(error)}\n${(await this.log()).slice(-2_000)}`, { cause: error });
    }
  }

  /** Ends it in good order; takes about six seconds. */
  async stop(): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    await node?.stop(STOP_DEADLINE);
  }

  /** `kill -9` of the Erlang machine. */
  async kill(): Promise<void> {
    const node = this.#node;
    this.#node = undefined;
    await node?.kill();
  }

  /** {@link stop} and {@link start}. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Kills it and deletes the folder. */
  async remove(): Promise<void> {
    await this.kill();
    await this.#epmd?.kill();
    this.#epmd = undefined;
    await rm(this.folder, { recursive: true, force: true });
  }

  /** `rabbitmqctl` with these arguments; resolves to what it prints. Takes half a second. */
  async ctl(...args: string[]): Promise<string> {
    const program = join(programs() ?? '', 'rabbitmqctl');
    return run(program, ['--quiet', ...args], { timeout: COMMAND_DEADLINE, env: this.#env, cwd: this.folder });
  }

  /** Has the memory alarm go off, which blocks publishers, or end. */
  async setMemoryAlarm(on: boolean): Promise<void> {
    await this.ctl('set_vm_memory_high_watermark', on ? '0' : '0.4');
  }

  /** The connections of this moment, where the management API shows those of some moments ago. */
  async connections(): Promise<RabbitConnection[]> {
    const columns = ['name', 'client_properties', 'vhost', 'user', 'state'];
    const text = await this.ctl('list_connections', '--formatter', 'json', ...columns);
    const rows = JSON.parse(text) as (RabbitConnection & {
      client_properties: [name: string, type: string, value: unknown][];
    })[];
    return rows.map(({ name, client_properties, vhost, user, state }) => {
      const given = client_properties.find(([property]) => property === 'connection_name');
      return { peers: name, name: given === undefined ? '' : String(given[2]), vhost, user, state };
    });
  }

  /**
   * Closes connections from the server's side, as an operator does (CONNECTION_FORCED).
   * @param filter default: all of the user `guest`, which takes only some ms
   */
  async closeConnections(filter?: (connection: RabbitConnection) => boolean): Promise<void> {
    if (filter === undefined) return this.management.closeConnectionsOf('guest');
    const chosen = (await this.connections()).filter(filter).map(({ peers }) => `<<"${peers}">>`);
    await this.ctl(
      'eval',
      `[rabbit_networking:close_connection(Pid, "closed by the test") || [{pid, Pid}, {name, Name}] <- ` +
        `rabbit_networking:connection_info_all([pid, name]), lists:member(Name, [${chosen.join(', ')}])].`,
    );
  }

  /** See {@link RabbitManagement.createVhost}. */
  async createVhost(vhost: string): Promise<void> {
    await this.management.createVhost(vhost);
  }

  /** See {@link RabbitManagement.deleteVhost}. */
  async deleteVhost(vhost: string): Promise<void> {
    await this.management.deleteVhost(vhost);
  }

  /** See {@link RabbitManagement.queues}. */
  async queues(vhost?: string): Promise<RabbitQueue[]> {
    return this.management.queues(vhost);
  }

  /** See {@link RabbitManagement.deleteQueue}. */
  async deleteQueue(queue: string, vhost?: string): Promise<void> {
    await this.management.deleteQueue(queue, vhost);
  }

  get #output(): string {
    return join(this.folder, 'output.log');
  }

  get #env(): NodeJS.ProcessEnv {
    const file = (name: string): string => join(this.folder, name);
    return {
      PATH: [process.env['PATH'], '/usr/sbin', '/usr/bin', '/bin'].join(delimiter),
      LANG: 'C.UTF-8',
      // Erlang keeps its cookie there.
      HOME: this.folder,
      ERL_EPMD_PORT: String(this.epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `hub${this.port}@localhost`,
      RABBITMQ_DIST_PORT: String(this.distributionPort),
      RABBITMQ_MNESIA_BASE: file('data'),
      RABBITMQ_LOG_BASE: file('log'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_ENABLED_PLUGINS_FILE: file('enabled_plugins'),
      RABBITMQ_CONFIG_FILE: file('rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: file('advanced.config'),
      // What the machine's own broker is told is not for this one.
      RABBITMQ_CONFIG_FILES: file('no.d/*.conf'),
      RABBITMQ_CONF_ENV_FILE: file('no.env'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${LOOPBACK} -noinput`,
      RABBITMQ_CTL_ERL_ARGS: LOOPBACK,
      // Without it a shell stays in between, and signals would be for that.
      RABBITMQ_ALLOW_INPUT: 'true',
    };
  }

  async #configure(more: readonly string[]): Promise<void> {
    const lines = [
      `listeners.tcp.1 = 127.0.0.1:${this.port}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${this.managementPort}`,
      // ms
      'collect_statistics_interval = 500',
    ];
    if (this.tls !== undefined) {
      lines.push(
        `listeners.ssl.1 = 127.0.0.1:${this.tls.port}`,
        `ssl_options.cacertfile = ${this.tls.ca}`,
        `ssl_options.certfile = ${this.tls.serverCert}`,
        `ssl_options.keyfile = ${this.tls.serverKey}`,
        // A client may show a certificate, and only a good one.
        'ssl_options.verify = verify_peer',
        'ssl_options.fail_if_no_peer_cert = false',
      );
    }
    await mkdir(join(this.folder, 'log'));
    await writeFile(join(this.folder, 'enabled_plugins'), '[rabbitmq_management].\n');
    // Counts of quorum queues are five seconds old otherwise.
    await writeFile(join(this.folder, 'advanced.config'), '[{rabbit, [{quorum_tick_interval, 1000}]}].\n');
    await writeFile(join(this.folder, 'rabbitmq.conf'), `${[...lines, ...more].join('\n')}\n`);
  }

  /** Throws when there is no use in waiting. */
  async #problem(node: LeashedProcess): Promise<string | undefined> {
    if (node.ended) throw new Error('RabbitMQ ended while it started');
    // It opens the listeners of AMQP last.
    const ports = this.tls === undefined ? [this.port] : [this.port, this.tls.port];
    for (const port of ports) {
      const problem = await probeTcp(port);
      if (problem !== undefined) return problem;
    }
    return this.management.probe();
  }
}

/** The folder with the real programs, or `undefined` when RabbitMQ is not installed. */
function programs(): string | undefined {
  const folders = [DEBIAN, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.find(
    (folder) => existsSync(join(folder, 'rabbitmq-server')) && existsSync(join(folder, 'rabbitmqctl')),
  );
}
