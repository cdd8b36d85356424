import { sleep } from '../../../../core/deadline.js';
import type { StoreLogger } from '../../../../embedded/store-logger.js';
import { faultText, type RedisClient } from '../../../../redis/index.js';
import type { ControlReplies } from './control-replies.js';
import { openEnvelope } from './redis-envelope.js';

/** How long one read blocks, in s. */
const BLOCK_S = 1;
/** Wait after a read that failed, in ms. */
const AGAIN_MS = 200;

/** Takes answers of workers out of their list, as long as somebody waits for one. */
export class RedisReplies {
  #reading = false;
  #closed = false;

  /** @param client for blocking reads only */
  constructor(
    private readonly client: RedisClient,
    private readonly list: string,
    private readonly replies: ControlReplies,
    private readonly logger: StoreLogger,
  ) {}

  /** Reads from now on. */
  start(): void {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    void this.#read().finally(() => (this.#reading = false));
  }

  /** Reads no more. */
  close(): void {
    this.#closed = true;
  }

  async #read(): Promise<void> {
    while (!this.#closed && this.replies.size > 0) {
      try {
        const found = await this.client.brpop(this.list, BLOCK_S);
        const envelope = found === null ? undefined : openEnvelope(found[1]);
        if (envelope !== undefined) this.replies.deliver(envelope.headers['ticket'], envelope.body);
      } catch (error) {
        if (this.#closed) return;
        this.logger.debug(`answers of workers cannot be read: ${faultText(error)}`);
        await sleep(AGAIN_MS);
      }
    }
  }
}
