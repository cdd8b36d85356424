import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from './debian-packages.js';
import { run } from './run-command.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

const MINUTE = 60_000;
const VERSION = 'import sys; assert sys.version_info >= (3, 10)';

/** Names the first required package that is missing, whatever its version: a chosen interpreter may have another. */
const MISSING = `
import importlib.metadata as m, re, sys
for line in open(sys.argv[1]):
    name = re.split(r'[[=<>#\\s]', line.strip())[0]
    if name:
        m.version(name)
`;

/** A Python virtual environment of the tests. */
export interface PythonVenv {
  /** Path of its interpreter. */
  readonly interpreter: string;
  /** What is wrong with the interpreter at `path`, or `undefined`. */
  probe(path: string): Promise<string | undefined>;
  /** Makes it anew. */
  create(signal: AbortSignal): Promise<void>;
}

/**
 * The virtual environment `name` in the project's root.
 * @param requirementsName the file in this folder that pins what is in it
 */
export function pythonVenv(name: string, requirementsName: string): PythonVenv {
  const folder = join(root, name);
  const requirements = join(root, 'test', 'support', requirementsName);
  /** Holds the requirements that the venv was made from; written last, so a broken-off installation has none. */
  const stamp = join(folder, 'requirements.installed');
  const interpreter = join(folder, 'bin', 'python');

  const isCurrent = async (): Promise<boolean> => {
    const [installed, wanted] = await Promise.all([
      readFile(stamp, 'utf8').catch(() => undefined),
      readFile(requirements, 'utf8'),
    ]);
    return installed === wanted;
  };
  return {
    interpreter,
    async probe(path) {
      if (path === interpreter && !(await isCurrent())) {
        return `the venv ${name} is missing or older than its requirements`;
      }
      try {
        await run(path, ['-c', MISSING, requirements], { timeout: MINUTE });
        return undefined;
      } catch (error) {
        return `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
    async create(signal) {
      await rm(folder, { recursive: true, force: true });
      await makeVenv(folder, signal);
      const install = ['-m', 'pip', 'install', '--quiet', '--no-cache-dir', '--disable-pip-version-check'];
      await run(interpreter, [...install, '-r', requirements], { timeout: 8 * MINUTE, signal });
      await writeFile(stamp, await readFile(requirements, 'utf8'));
    },
  };
}

async function makeVenv(folder: string, signal: AbortSignal): Promise<void> {
  const failures = await tryInterpreters(folder, signal);
  if (failures === undefined) return;
  if (process.getuid?.() !== 0) {
    throw new Error(
      `no Python 3.10 or newer with venv (${failures}). Install python3 and python3-venv, or set HUB_TEST_PYTHON.`,
    );
  }
  await installPackages(['python3', 'python3-venv'], signal);
  const still = await tryInterpreters(folder, signal);
  if (still !== undefined) throw new Error(`no Python 3.10 or newer with venv: ${still}`);
}

/** Makes the venv with the first interpreter that can; otherwise resolves to why none could. */
async function tryInterpreters(folder: string, signal: AbortSignal): Promise<string | undefined> {
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
