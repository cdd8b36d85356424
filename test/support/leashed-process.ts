import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';

/** Options of {@link LeashedProcess.start}. */
export interface LeashedProcessOptions {
  /** The whole environment. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** File that gets everything it prints, appended. */
  output: string;
  /** Folder that nobody needs when this process was killed; whoever ends in good order removes it himself. */
  litter?: string;
}

/** Outlives this process by one command: the end of its standard input, which we hold, is our end. */
const WATCHDOG = 'read -r _; kill -s KILL -- "-$0"; [ -z "$1" ] || rm -rf -- "$1"';

/** A server that ends with this process, however that ends, `kill -9` included. */
export class LeashedProcess {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts it in a process group of its own. Rejects when the command cannot be run. */
  static async start(
    command: string,
    args: readonly string[],
    { env, cwd, output, litter = '' }: LeashedProcessOptions,
  ): Promise<LeashedProcess> {
    const file = await open(output, 'a');
    try {
      const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', file.fd, file.fd] });
      await once(child, 'spawn');
      const watchdog = spawn('sh', ['-c', WATCHDOG, String(child.pid), litter], {
        // Ctrl+C is for everything in our group; the watchdog has to be there afterwards.
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      child.once('exit', () => watchdog.kill('SIGKILL'));
      child.unref();
      watchdog.unref();
      return new LeashedProcess(child);
    } finally {
      await file.close();
    }
  }

  /** Its id, which is that of its group too. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Whether it ended. */
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /**
   * Asks it to end by SIGTERM and waits for that; kills it and rejects when it takes longer.
   * @param timeout ms
   */
  async stop(timeout: number): Promise<void> {
    if (this.ended) return;
    this.child.ref();
    const exited = once(this.child, 'exit', { signal: AbortSignal.timeout(timeout) });
    this.child.kill('SIGTERM');
    try {
      await exited;
    } catch {
      await this.kill();
      throw new Error(`process ${this.pid} did not end within ${timeout} ms after SIGTERM`);
    }
  }

  /** `kill -9` of the whole group; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.ended) return;
    this.child.ref();
    const exited = once(this.child, 'exit');
    process.kill(-this.pid, 'SIGKILL');
    await exited;
  }
}
