import { HubError, type HubErrorOptions } from '../core/errors.js';
import { amqpError } from './amqp.errors.js';
import type { AmqpNode, AmqpNodes } from './amqp.node.js';
import { speaksTls } from './amqp.tls.js';

/** Most time of the look whether a port speaks TLS, in ms. */
const PROBE_MS = 1_000;

/** What a listener for TLS does to those who send it something else, depending on what arrives first. */
const CUT_OFF = /Socket closed abruptly|ECONNRESET|EPIPE/;

/** The first round of attempts to connect: one per node, within a deadline as a whole. */
export class FirstAttempts {
  /** Resolves with the first connection; rejects when every node has failed, or at the deadline. */
  readonly done: Promise<void>;
  /** Whether {@link done} is settled. */
  over = false;
  readonly #errors: HubError[] = [];
  readonly #deadline: NodeJS.Timeout;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #diagnosing = Promise.resolve();

  /** @param ms the deadline */
  constructor(
    private readonly nodes: AmqpNodes,
    private readonly ms: number,
    private readonly source: HubErrorOptions,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who awaits it comes later.
    this.done.catch(() => undefined);
    this.#deadline = setTimeout(() => this.give(this.#error()), ms);
  }

  /** There is a connection. */
  succeed(): void {
    this.#end();
    this.#resolve();
  }

  /** The attempt at `node` failed. */
  fail(error: unknown, node: AmqpNode): void {
    this.#diagnosing = this.#diagnosing
      .then(async () => this.#errors.push(await this.#diagnose(error, node)))
      .then(() => {
        if (this.#errors.length >= this.nodes.length) this.give(this.#error());
      });
  }

  /** Rejects with `error`, when it is not over. */
  give(error: Error): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.over = true;
    clearTimeout(this.#deadline);
  }

  async #diagnose(error: unknown, node: AmqpNode): Promise<HubError> {
    const what = `no connection to RabbitMQ at ${node.label}`;
    const found = amqpError(error, this.source, what);
    if (node.tls || found.code !== 'UNAVAILABLE' || !CUT_OFF.test(String(error))) return found;
    // A broker that is about to start, or a proxy before it, closes the connection in the same way.
    if (!(await speaksTls(node.host, node.port, Math.min(PROBE_MS, this.ms)))) return found;
    const text = `${what}: that port speaks TLS. Write amqps://, or set tls.enabled.`;
    return new HubError('CONFIG_INVALID', text, { ...this.source, cause: error });
  }

  /** The one that tells most: what no waiting will mend. */
  #error(): HubError {
    const [last] = this.#errors.slice(-1);
    const telling = this.#errors.find(({ code }) => code !== 'UNAVAILABLE') ?? last;
    if (telling !== undefined) return telling;
    const text = `no connection to RabbitMQ at ${this.nodes[0].label} within ${this.ms} ms.`;
    return new HubError('UNAVAILABLE', text, this.source);
  }
}
