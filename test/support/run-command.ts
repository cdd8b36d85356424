import { spawn } from 'node:child_process';

/** Options of {@link run}. */
export interface RunOptions {
  /** ms */
  timeout: number;
  signal?: AbortSignal;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** Runs a command without a shell and resolves to its standard output; rejects with the end of what it printed. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { timeout, signal, env = process.env, cwd } = options;
  const limit = AbortSignal.timeout(timeout);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      killSignal: 'SIGKILL',
      ...(cwd === undefined ? {} : { cwd }),
    });
    let out = '';
    let tail = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      tail = (tail + text).slice(-2_000);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-2_000)));
    child.on('error', (error) => {
      const reason = limit.aborted ? `took longer than ${timeout} ms` : error.message;
      reject(new Error(`${command} ${args[0] ?? ''}: ${reason}\n${tail.trim()}`));
    });
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args[0] ?? ''}: ended with ${killedBy ?? code}\n${tail.trim()}`));
    });
  });
}
