// The test command. Brings up what the suites need, checks the sources, builds, runs the suites, and closes with one
// line of counts. Arguments are handed to Vitest: `npm test -- src/mlops`.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const STEP_LIMIT_MS = 75 * 60_000;
const root = fileURLToPath(new URL('..', import.meta.url));
const began = Date.now();
const stopping = new AbortController();
const stops = [];

process.env.HUB_TEST_SERVICES ??= 'all';

function say(line) {
  console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(3)} s] ${line}`);
}

/** Runs a command of node_modules/.bin; rejects when it fails. Its output is shown at the end, or live. */
function step(name, command, args, { live = false } = {}) {
  const from = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'node_modules', '.bin', command), args, {
      cwd: root,
      stdio: live ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(STEP_LIMIT_MS)]),
    });
    let output = '';
    for (const stream of live ? [] : [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', (error) => reject(new Error(`${name}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) {
        say(`${name}: ok (${((Date.now() - from) / 1000).toFixed(1)} s)`);
        resolve();
      } else {
        reject(
          new Error(`${name} failed (${signal ?? `exit ${code}`}): ${command} ${args.join(' ')}\n${output.trim()}`),
        );
      }
    });
  });
}

async function provideServices() {
  register();
  const { provideService, servicePolicy, services } = await import('./support/services.ts');
  const policy = servicePolicy('all');
  // Side by side: most of the time goes into downloads.
  const failures = await Promise.all(
    services.map(async (service) => {
      const { check, stop } = await provideService(service, stopping.signal, say);
      if (stop !== undefined) stops.push(stop);
      if (check.problem === undefined) say(`${service.name}: ready`);
      else if (policy === 'all') return `${service.name} is needed and cannot be had: ${check.problem}`;
      else say(`${service.name}: not there, its suites are skipped. ${check.problem}`);
      return undefined;
    }),
  );
  const failure = failures.find((text) => text !== undefined);
  if (failure !== undefined) throw new Error(failure);
}

async function checkSources() {
  // The examples import the package by its own name, as a user does: their types come from the build.
  await step('build', 'nest', ['build']);
  await step('types', 'tsc', ['-p', 'tsconfig.json']);
  await step('lint', 'oxlint', ['--type-aware', '--deny-warnings']);
  await step('format', 'prettier', ['--check', '--log-level', 'warn', '.']);
}

/** Runs the suites; resolves to the counts of Vitest's own JSON report. */
async function runSuites(args) {
  const folder = await mkdtemp(join(tmpdir(), 'hub-test-report-'));
  const file = join(folder, 'report.json');
  let failure;
  try {
    await step(
      'suites',
      'vitest',
      ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args],
      {
        live: true,
      },
    ).catch((error) => (failure = error));
    const report = JSON.parse(await readFile(file, 'utf8'));
    // A file that cannot be loaded has no tests to fail: it counts as one.
    const broken = report.testResults.filter(
      (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
    );
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + broken.length,
      skipped: report.numPendingTests + report.numTodoTests,
      failure,
    };
  } catch (error) {
    throw failure ?? error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main() {
  try {
    await Promise.all([provideServices(), checkSources()]);
    const { passed, failed, skipped, failure } = await runSuites(process.argv.slice(2));
    if (failure !== undefined && failed === 0) console.error(failure.message);
    if (passed + failed === 0) console.error('no test ran');
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failure === undefined && failed === 0 && passed > 0 ? 0 : 1;
  } catch (error) {
    stopping.abort();
    console.error(`\n${error.message}`);
    return 1;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

process.exitCode = await main();
