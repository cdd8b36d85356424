import { run } from './run-command.js';

const MINUTE = 60_000;

/** Installs Debian packages. Needs root. */
export async function installPackages(packages: readonly string[], signal: AbortSignal): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Several services may install at once: apt takes turns.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  const options = { timeout: 5 * MINUTE, signal, env };
  await run('apt-get', [...wait, 'update', '-qq'], options);
  await run('apt-get', [...wait, 'install', '-y', '-qq', '--no-install-recommends', ...packages], options);
}
