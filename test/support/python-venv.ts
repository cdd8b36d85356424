import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run-command.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, '.venv');
const requirements = join(root, 'test', 'support', 'requirements.txt');
/** Holds the requirements that the venv was made from; written last, so a broken-off installation has none. */
const stamp = join(folder, 'requirements.installed');
const interpreter = join(folder, 'bin', 'python');

const MINUTE = 60_000;
const VERSION = 'import sys; assert sys.version_info >= (3, 10)';

/** Names the first required package that is missing, whatever its version: a chosen interpreter may have another. */
const MISSING = `
import importlib.metadata as m, re, sys
for line in open(sys.argv[1]):
    name = re.split(r'[=<>#\\s]', line.strip())[0]
    if name:
        m.version(name)
`;

/** What is wrong with the interpreter at `path`, or `undefined`. */
async function probe(path: string): Promise<string | undefined> {
  if (path === interpreter && !(await isCurrent())) return 'the venv .venv is missing or older than its requirements';
  try {
    await run(path, ['-c', MISSING, requirements], { timeout: MINUTE });
    return undefined;
  } catch (error) {
    return `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function isCurrent(): Promise<boolean> {
  const [installed, wanted] = await Promise.all([
    readFile(stamp, 'utf8').catch(() => undefined),
    readFile(requirements, 'utf8'),
  ]);
  return installed === wanted;
}

/** Makes `.venv` in the project's root, with what `requirements.txt` pins. */
async function create(signal: AbortSignal): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await makeVenv(signal);
  const install = ['-m', 'pip', 'install', '--quiet', '--no-cache-dir', '--disable-pip-version-check'];
  await run(interpreter, [...install, '-r', requirements], { timeout: 8 * MINUTE, signal });
  await writeFile(stamp, await readFile(requirements, 'utf8'));
}

async function makeVenv(signal: AbortSignal): Promise<void> {
  const failures = await tryInterpreters(signal);
  if (failures === undefined) return;
  if (process.getuid?.() !== 0) {
    throw new Error(
      `no Python 3.10 or newer with venv (${failures}). Install python3 and python3-venv, or set HUB_TEST_PYTHON.`,
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { timeout: 5 * MINUTE, signal, env });
  await run('apt-get', ['install', '-y', '-qq', 'python3', 'python3-venv'], { timeout: 5 * MINUTE, signal, env });
  const still = await tryInterpreters(signal);
  if (still !== undefined) throw new Error(`no Python 3.10 or newer with venv: ${still}`);
}

/** Makes the venv with the first interpreter that can; otherwise resolves to why none could. */
async function tryInterpreters(signal: AbortSignal): Promise<string | undefined> {
  const failures: string[] = [];
  for (const python of ['python3', '/usr/bin/python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10']) {
    try {
      await run(python, ['-c', VERSION], { timeout: MINUTE, signal });
      await run(python, ['-m', 'venv', '--clear', folder], { timeout: 2 * MINUTE, signal });
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      failures.push(`${python}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures.join('; ');
}

/** The Python virtual environment of the tests. */
export const pythonVenv = { interpreter, probe, create };
