// Packs the package, installs the tarball into empty projects and runs an application in each on several Node versions.
//   npm run test:matrix -- [--only nest12-esm] [--node 20,22|current] [--keep] [--json FILE]
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { nodes, projects } from './projects.mjs';

const STEP_LIMIT_MS = 5 * 60_000;
const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..', '..', '..');
const pkg = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const optionalPeers = Object.keys(pkg.peerDependenciesMeta);
/** Loaded only when a driver or a task needs them. */
const lazy = [...optionalPeers, 'libsql', 'piscina'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(projects).join() },
    node: { type: 'string', default: nodes.join() },
    keep: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

// The projects are a stranger's: nothing of the caller's test runner reaches them.
const env = { ...process.env };
for (const key of ['NODE_ENV', 'NODE_OPTIONS', 'NODE_PATH', 'VITEST', 'HUB_CONFIG_PATH']) delete env[key];

/** Runs a command without a shell; resolves to its output, rejects with all that it printed. */
function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const limits = { timeout: STEP_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 };
    execFile(command, args, { cwd, env, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(
          new Error(
            `${command} ${args.slice(0, 3).join(' ')}: ${error.signal ?? `exit ${error.code}`}\n${stdout}${stderr}`,
          ),
        );
    });
  });
}

const rows = [];

/** One line of the table. Resolves to whether it went well. */
async function row(app, node, job) {
  const from = Date.now();
  let fault;
  try {
    await job();
  } catch (error) {
    fault = error.message;
  }
  const seconds = Number(((Date.now() - from) / 1000).toFixed(1));
  rows.push({ app, node, result: fault === undefined ? 'ok' : 'failed', seconds });
  console.log(`${app} on ${node}: ${fault === undefined ? 'ok' : `FAILED\n${fault}`} (${seconds} s)`);
  return fault === undefined;
}

function newest(folder) {
  const times = readdirSync(folder, { recursive: true }).map((path) => statSync(join(folder, path)).mtimeMs);
  return Math.max(...times);
}

async function pack(folder) {
  const built = join(root, 'dist', 'index.js');
  if (!existsSync(built) || newest(join(root, 'src')) > statSync(built).mtimeMs)
    await run('npm', ['run', 'build'], root);
  const answer = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root);
  return join(folder, JSON.parse(answer)[0].filename);
}

/** Path of the Node binary of a major version, and what the table calls it. */
async function findNode(major) {
  const own = process.versions.node.split('.')[0];
  const path =
    major === 'current' || major === own
      ? process.execPath
      : (await run('npx', ['--yes', '--package', `node@${major}`, 'node', '-p', 'process.execPath'], tmpdir())).trim();
  return { path, label: (await run(path, ['--version'], tmpdir())).trim() };
}

/** An empty project with the tarball and its required peers; npm refuses peers out of range. */
async function install({ app, type, optional = [], dependencies, devDependencies }, folder, tarball) {
  await mkdir(folder);
  const manifest = {
    name: 'hub-matrix-project',
    private: true,
    type,
    dependencies: { [pkg.name]: pathToFileURL(tarball).href, ...dependencies },
    devDependencies,
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest, undefined, 2));
  await cp(join(here, 'apps', 'shared'), join(folder, 'shared'), { recursive: true });
  await cp(join(here, 'apps', app), join(folder, 'app'), { recursive: true });
  await cp(join(here, 'apps', 'tsconfig.app.json'), join(folder, 'tsconfig.json'));
  const subpaths = Object.entries(pkg.exports).flatMap(([subpath, target]) => (target.types ? [subpath.slice(1)] : []));
  const lines = subpaths.map((subpath, index) => `export * as subpath${index} from '${pkg.name}${subpath}';\n`);
  await writeFile(join(folder, 'app', 'subpaths.ts'), lines.join(''));
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel', 'error'], folder);
  const unwanted = optionalPeers.filter((name) => !optional.includes(name));
  const present = unwanted.filter((name) => existsSync(join(folder, 'node_modules', name)));
  if (present.length > 0) throw new Error(`installed, though optional: ${present.join(', ')}`);
}

/** The root of the package, imported or required in a fresh process, loads nothing optional. */
async function checkLoaded(node, folder, type) {
  const hook = new URL('../report-imports.mjs', import.meta.url).href;
  const code = type === 'module' ? `await import('${pkg.name}')` : `require('${pkg.name}')`;
  const args = ['--no-warnings', '--import', hook, `--input-type=${type}`, '--eval', code];
  const loaded = (await run(node, args, folder)).split('\n').filter((line) => line.startsWith('loaded '));
  const holds = (name) => loaded.some((line) => line.includes(`/node_modules/${name}/`));
  // Something that the root does load: without it the list would prove nothing.
  if (!holds('joi')) throw new Error(`the list of loaded modules lacks joi:\n${loaded.join('\n')}`);
  const unwanted = lazy.filter(holds);
  if (unwanted.length > 0) throw new Error(`loaded by the root: ${unwanted.join(', ')}`);
}

async function checkProject(name, tarball, folder, binaries) {
  const project = projects[name];
  const installed = await row(`${name}: install`, 'npm', () => install(project, folder, tarball));
  if (!installed) return;
  const tsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!(await row(`${name}: types`, 'tsc', () => run(process.execPath, [tsc], folder)))) return;
  for (const { path, label } of binaries) {
    await row(name, label, async () => {
      const said = await run(path, [join('dist', 'app', 'main.js')], folder);
      for (const line of project.says ?? ['express: ok', 'fastify: ok', 'peer missing: ok']) {
        if (!said.includes(line)) throw new Error(`the application did not say "${line}":\n${said}`);
      }
      await checkLoaded(path, folder, project.type);
    });
    if (project.jest !== true) continue;
    await row(`${name}: Jest`, label, async () => {
      const jest = join('node_modules', 'jest', 'bin', 'jest.js');
      const report = join(folder, 'jest.json');
      const args = [jest, '--config', 'app/jest.config.cjs', '--rootDir', '.', '--json', '--outputFile', report];
      await run(path, args, folder);
      const { numPassedTests, numTotalTests } = JSON.parse(await readFile(report, 'utf8'));
      if (numPassedTests === 0 || numPassedTests !== numTotalTests)
        throw new Error(`${numPassedTests} of ${numTotalTests} passed`);
    });
  }
}

async function lint(tarball) {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  await row('publint', 'tarball', () => run(bin('publint'), [tarball, '--strict'], root));
  // The package is ESM only by intent: the profile leaves out node10 and CommonJS under node16, which cannot have it.
  await row('attw', 'tarball', () => run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-emoji'], root));
}

async function main() {
  const names = values.only.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(projects, name));
  if (unknown.length > 0)
    throw new Error(`no such project: ${unknown.join(', ')}; there is ${Object.keys(projects).join(', ')}`);
  const folder = await mkdtemp(join(tmpdir(), 'hub-matrix-'));
  try {
    const tarball = await pack(folder);
    await lint(tarball);
    const binaries = [];
    for (const major of values.node.split(',')) binaries.push(await findNode(major));
    for (const name of names) await checkProject(name, tarball, join(folder, name), binaries);
  } finally {
    if (values.keep) console.log(`kept: ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
  console.table(rows);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(rows));
  // The last rows of a project that could not be installed or compiled are missing: they must not pass for run.
  return rows.every(({ result }) => result === 'ok') ? 0 : 1;
}

process.exitCode = await main();
