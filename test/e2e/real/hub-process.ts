import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type {
  ExperimentDefinition,
  ExperimentStatus,
  FeedbackItem,
  TrainOptions,
} from '../../../src/experiment/index.js';
import type { RealStack } from '../../support/real-stack.js';

/** Most time that a hub needs to start, and to answer, in ms, on a busy machine. */
const DEADLINE = 90_000;

/** What a hub is told. */
export interface HubCall {
  id: number;
  command: 'train' | 'feedback' | 'status';
  args: unknown[];
}

/** What it answers. */
export interface HubAnswer {
  id: number;
  result?: unknown;
  error?: { code: string; message: string };
}

/** A refusal of a hub, with its code. */
export class HubRefusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A hub in a process of its own that may be killed and started again; calls outlive that: they are made again. */
export class HubProcess {
  #child: ChildProcess | undefined;
  #starting: Promise<void> = Promise.resolve();
  #calls = 0;
  /** How often it was killed. */
  kills = 0;
  /** How often a call was made again because the hub had died before it answered. */
  repeats = 0;

  private constructor(
    private readonly stack: RealStack,
    private readonly experiments: readonly ExperimentDefinition[],
    private readonly name: string,
  ) {}

  /**
   * Starts one.
   * @param name of the replica: its folder and its log
   */
  static async start(
    stack: RealStack,
    experiments: readonly ExperimentDefinition[],
    name = 'hub',
  ): Promise<HubProcess> {
    const hub = new HubProcess(stack, experiments, name);
    await hub.start();
    return hub;
  }

  /** Starts it again after {@link kill} or {@link stop}. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  /** `kill -9`, proven by how it ended. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    child.kill('SIGKILL');
    const [, signal] = await exited;
    if (signal !== 'SIGKILL') throw new Error(`the hub had ended before it was killed:\n${await this.log()}`);
    this.kills += 1;
  }

  /** SIGTERM, and waits for its end. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(DEADLINE) });
    child.kill('SIGTERM');
    await exited;
  }

  /** Everything that it printed. */
  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8');
  }

  train(name: string, options: TrainOptions): Promise<{ runId: string }> {
    return this.#call('train', name, options);
  }

  feedback(name: string, items: FeedbackItem[]): Promise<{ begun: string | null; samples: number }> {
    return this.#call('feedback', name, items);
  }

  status(name: string): Promise<ExperimentStatus> {
    return this.#call('status', name);
  }

  get #logFile(): string {
    return join(this.stack.folder, `${this.name}.log`);
  }

  async #start(): Promise<void> {
    const output = openSync(this.#logFile, 'a');
    const child = fork(fileURLToPath(new URL('hub.child.ts', import.meta.url)), [], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', output, output, 'ipc'],
      env: {
        ...process.env,
        HUB_CHILD_OPTIONS: JSON.stringify({ config: this.stack.config(this.experiments, this.name) }),
      },
    });
    const [first] = (await Promise.race([
      once(child, 'message', { signal: AbortSignal.timeout(DEADLINE) }),
      once(child, 'exit'),
    ])) as unknown[];
    if (first !== 'ready') throw new Error(`the hub did not start (${String(first)}):\n${await this.log()}`);
    this.#child = child;
  }

  async #call<T>(command: HubCall['command'], ...args: unknown[]): Promise<T> {
    const until = Date.now() + DEADLINE;
    while (Date.now() < until) {
      await this.#starting;
      const child = this.#child;
      const answer = child === undefined ? undefined : await this.#ask(child, command, args);
      if (answer === undefined) {
        this.repeats += 1;
        await sleep(50);
        continue;
      }
      if (answer.error !== undefined) throw new HubRefusal(answer.error.code, answer.error.message);
      return answer.result as T;
    }
    throw new Error(`no answer to ${command} within ${DEADLINE} ms:\n${await this.log()}`);
  }

  /** `undefined` when it dies before it answers. */
  async #ask(child: ChildProcess, command: HubCall['command'], args: unknown[]): Promise<HubAnswer | undefined> {
    this.#calls += 1;
    const id = this.#calls;
    return new Promise((resolve) => {
      const onMessage = (message: HubAnswer): void => {
        if (message.id === id) settle(message);
      };
      const onExit = (): void => settle(undefined);
      const settle = (answer: HubAnswer | undefined): void => {
        child.off('message', onMessage).off('exit', onExit);
        resolve(answer);
      };
      child.on('message', onMessage).on('exit', onExit);
      if (child.exitCode !== null || child.signalCode !== null || !child.connected) settle(undefined);
      else child.send({ id, command, args } satisfies HubCall, (error) => error !== null && settle(undefined));
    });
  }
}
