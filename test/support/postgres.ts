import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages } from './debian-packages.js';
import { run } from './run-command.js';

const MINUTE = 60_000;
const DEBIAN = '/usr/lib/postgresql';

/** Where the tests' own cluster listens; anyone on this machine may connect as `hub` while the tests run. */
const address = 'postgresql://hub@127.0.0.1:54329/postgres';

/** What is wrong with the server at `url`, or `undefined` when it accepts connections. */
async function probe(url: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 5432), timeout: 5_000 });
    const end = (problem?: string): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.on('connect', () => end());
    socket.on('timeout', () => end(`nothing answers at ${hostname}:${port}`));
    socket.on('error', (error) => end(error.message));
  });
}

/** Starts a cluster of its own in a temporary folder, with Debian's package; resolves to how to stop and remove it. */
async function start(signal: AbortSignal): Promise<() => Promise<void>> {
  let bin = await binaries();
  if (bin === undefined) {
    if (process.getuid?.() !== 0) {
      throw new Error('there is no PostgreSQL. Install the package postgresql, or set HUB_TEST_POSTGRES.');
    }
    await installPackages(['postgresql'], signal);
    bin = await binaries();
  }
  if (bin === undefined) throw new Error(`the package postgresql left nothing in ${DEBIAN}.`);
  const folder = await mkdtemp(join(tmpdir(), 'hub-postgres-'));
  const data = join(folder, 'data');
  const { port } = new URL(address);
  // PostgreSQL does not run as root.
  const asServer = async (command: string, ...args: string[]): Promise<void> => {
    const own = process.getuid?.() !== 0;
    const [program, ...before] = own
      ? [command]
      : ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', command];
    await run(program ?? command, [...before, ...args], {
      timeout: 2 * MINUTE,
      signal: AbortSignal.timeout(2 * MINUTE),
      cwd: folder,
    });
  };
  if (process.getuid?.() === 0) await run('chown', ['postgres', folder], { timeout: MINUTE });
  else await chmod(folder, 0o700);
  await asServer(join(bin, 'initdb'), '-D', data, '-U', 'hub', '-A', 'trust', '-E', 'UTF8', '--no-sync');
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`;
  await asServer(join(bin, 'pg_ctl'), '-D', data, '-w', '-l', join(folder, 'log'), '-o', settings, 'start');
  return async () => {
    await asServer(join(bin, 'pg_ctl'), '-D', data, '-m', 'immediate', 'stop');
    await rm(folder, { recursive: true, force: true });
  };
}

/** The folder of the newest installed server, or `undefined`. */
async function binaries(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(DEBIAN, newest, 'bin');
}

/** The PostgreSQL server of the tests. */
export const postgres = { address, probe, start };
