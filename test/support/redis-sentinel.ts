import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LeashedProcess } from './leashed-process.js';
import { freePort } from './mlflow-server.js';
import { probeRedis } from './redis-probe.js';
import { RedisServer } from './redis-server.js';
import { untilReady } from './tcp-ready.js';

/** ms */
const DEADLINE = 60_000;
/** How long the master is away until another one takes over, in ms. */
const DOWN_AFTER = 1_000;

/** A master and its replica, watched by a sentinel; all want a password. They end with this process. */
export class RedisSentinel {
  readonly name = 'tasks';

  private constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
    readonly port: number,
    private readonly folder: string,
    private readonly process: LeashedProcess,
  ) {}

  /**
   * Starts them.
   * @param password of the servers
   * @param sentinelPassword of the sentinel
   */
  static async create(password: string, sentinelPassword: string): Promise<RedisSentinel> {
    const auth = ['--masterauth', password];
    const master = await RedisServer.create({ password, args: auth });
    const replica = await RedisServer.create({ password, args: [...auth, '--replicaof', `127.0.0.1 ${master.port}`] });
    const folder = await mkdtemp(join(tmpdir(), 'hub-sentinel-'));
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `requirepass ${sentinelPassword}`,
      `sentinel monitor tasks 127.0.0.1 ${master.port} 1`,
      `sentinel auth-pass tasks ${password}`,
      `sentinel down-after-milliseconds tasks ${DOWN_AFTER}`,
      'sentinel failover-timeout tasks 3000',
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const output = join(folder, 'output.log');
    const options = { env: process.env, cwd: folder, output, litter: folder };
    const sentinel = await LeashedProcess.start('redis-server', [file, '--sentinel'], options);
    await untilReady('the sentinel', () => probeRedis(`redis://:${sentinelPassword}@127.0.0.1:${port}`), DEADLINE);
    return new RedisSentinel(master, replica, port, folder, sentinel);
  }

  /** Kills and deletes them all. */
  async remove(): Promise<void> {
    await this.process.kill();
    await Promise.all([this.master.remove(), this.replica.remove()]);
    await rm(this.folder, { recursive: true, force: true });
  }
}
