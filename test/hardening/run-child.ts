import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compiled } from '../support/compiled-child.js';

/** What is left of a child process that ended. */
export interface EndedChild {
  code: number | null;
  stdout: string;
  stderr: string;
  /** From its last line of output to its end, in ms. */
  lingered: number;
}

/**
 * Runs a program of this folder to its end.
 * @param options.timeout ms, then it is killed and the promise rejects with what it printed
 */
export async function runChild(
  program: string,
  args: readonly (string | number)[],
  { timeout = 240_000, env = process.env }: { timeout?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<EndedChild> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--no-warnings', ...compiled(), path, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  let stdout = '';
  let stderr = '';
  let last = performance.now();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    last = performance.now();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let overdue = false;
  const deadline = setTimeout(() => {
    overdue = true;
    child.kill('SIGKILL');
  }, timeout);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(deadline);
  if (overdue) throw new Error(`${program} did not end by itself within ${timeout} ms.\n${stdout}${stderr}`);
  return { code, stdout, stderr, lingered: performance.now() - last };
}

/** What boots.child.ts reports. */
export interface BootsResult {
  /** Bytes after the warm-up and at the end. */
  heaps: number[];
  /** Objects of the hub's classes at the same moments. */
  objects: number[];
  /** Kinds of handles still open at the end. */
  resources: string[];
}

/** The JSON line of a child that has to end by itself, without a word of complaint. */
export async function resultOf(
  program: string,
  args: readonly (string | number)[],
  options: { timeout?: number } = {},
): Promise<BootsResult> {
  const { code, stdout, stderr, lingered } = await runChild(program, args, options);
  if (code !== 0 || stderr !== '') throw new Error(`${program} ended with ${code}.\n${stdout}${stderr}`);
  if (lingered > 5_000) throw new Error(`${program} lived on for ${lingered} ms after its work.`);
  return JSON.parse(stdout) as BootsResult;
}
