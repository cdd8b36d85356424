import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What Redis as a broker has on its disk of each command that changed something: its append-only file. */
export class RedisLog {
  readonly #pushed = new Map<string, number>();
  readonly #taken = new Map<string, number>();

  /** @param folder of the server, which has never rewritten the file */
  static async read(folder: string): Promise<RedisLog> {
    const log = new RedisLog();
    const files = (await readdir(join(folder, 'appendonlydir'))).filter((file) => file.endsWith('.incr.aof')).sort();
    for (const file of files) log.#add(await readFile(join(folder, 'appendonlydir', file)));
    return log;
  }

  /**
   * Whether a task was in its list more often than a worker has noted to have it (`unacked`). kombu takes it out of the list
   * first, and a worker that ends between the two has lost it: BRPOP, then HSET.
   */
  lostByWorker(taskId: string): boolean {
    return (this.#pushed.get(taskId) ?? 0) > (this.#taken.get(taskId) ?? 0);
  }

  #add(bytes: Buffer): void {
    for (const [command = '', key = '', ...values] of commandsIn(bytes)) {
      const name = command.toUpperCase();
      const counts = name === 'LPUSH' || name === 'RPUSH' ? this.#pushed : this.#taken;
      if (counts === this.#taken && (name !== 'HSET' || key !== 'unacked')) continue;
      for (const value of values) {
        const id = /"correlation_id": ?"([^"]+)"/.exec(value)?.[1];
        if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
  }
}

/** The commands in a file of the protocol; one that was cut off is none. */
function* commandsIn(bytes: Buffer): Generator<string[]> {
  let at = 0;
  const line = (): string => {
    const end = bytes.indexOf('\r\n', at);
    const text = end < 0 ? '' : bytes.toString('latin1', at, end);
    at = end < 0 ? bytes.length : end + 2;
    return text;
  };
  while (at < bytes.length) {
    const head = line();
    if (!head.startsWith('*')) continue;
    const words: string[] = [];
    for (let left = Number(head.slice(1)); left > 0 && at < bytes.length; left -= 1) {
      const length = Number(line().slice(1));
      words.push(bytes.toString('utf8', at, at + length));
      at += length + 2;
    }
    yield words;
  }
}
