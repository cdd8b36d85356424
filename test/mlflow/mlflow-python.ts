import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from '../support/run-command.js';

const venv = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));

/** A Python with MLflow: the one that HUB_TEST_PYTHON names, or that of the project's `.venv`; else `undefined`. */
export const python = process.env['HUB_TEST_PYTHON'] || (existsSync(venv) ? venv : undefined);

/** Why suites with real MLflow are skipped; part of their names, so that the report shows it. */
export const skipReason = python === undefined ? ' (skipped: no Python with MLflow; set HUB_TEST_PYTHON)' : '';

if (python === undefined && process.env['HUB_TEST_SERVICES'] === 'all') {
  throw new Error('HUB_TEST_SERVICES=all needs a Python with MLflow: set HUB_TEST_PYTHON, or let npm test make .venv.');
}

/** What `read_store.py` prints. */
export interface PythonDump {
  experiments: unknown[];
  runs: { id: string; histories: Record<string, [number | 'NaN', number, number][]> }[];
  models: { name: string }[];
  integrity: string[];
  foreign_keys: unknown[];
  revision: string;
  journal: string;
}

/** Reads a whole store with the stock MLflow client, which first upgrades it in place when it is older. */
export async function readWithMlflow(database: string, downloads: string): Promise<PythonDump> {
  return askPython('DUMP', 'read_store.py', `sqlite:///${database}`, downloads);
}

/** Runs a script of this folder and resolves to the JSON that it prints behind `marker`, beside what MLflow prints. */
export async function askPython<T>(marker: string, script: string, ...args: string[]): Promise<T> {
  const output = await runPython(script, ...args);
  const line = output.split('\n').find((text) => text.startsWith(marker));
  if (line === undefined) throw new Error(`${script} printed no ${marker}: ${output.slice(-500)}`);
  return JSON.parse(line.slice(marker.length)) as T;
}

/** Runs a script of this folder and resolves to what it prints. */
export async function runPython(script: string, ...args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' };
  return run(python ?? 'python3', [path, ...args], { timeout: 100_000, env });
}
