import { rm, writeFile } from 'node:fs/promises';
import { run } from './run-command.js';

const MINUTE = 60_000;
const POLICY = '/usr/sbin/policy-rc.d';
/** Servers that a package brings stay off while this process lives: 101 means forbidden, 0 allowed. */
const KEEP_OFF = `#!/bin/sh\nkill -0 ${process.pid} 2>/dev/null && exit 101\nexit 0\n`;

let updated: Promise<void> | undefined;
let turn: Promise<void> = Promise.resolve();

/**
 * Installs Debian packages, without starting the services in them: a broker that cannot have its port would fail the
 * installation. Needs root. Several at once take turns.
 */
export async function installPackages(packages: readonly string[], signal: AbortSignal): Promise<void> {
  // One failure is not that of the next in the line.
  const before = turn.catch(() => undefined);
  turn = before.then(async () => {
    updated ??= apt(['update', '-qq'], signal);
    await updated;
    const ours = await writeFile(POLICY, KEEP_OFF, { mode: 0o755, flag: 'wx' }).then(
      () => true,
      () => false,
    );
    try {
      await apt(['install', '-y', '-qq', '--no-install-recommends', ...packages], signal);
    } finally {
      if (ours) await rm(POLICY, { force: true });
    }
  });
  return turn;
}

async function apt(args: readonly string[], signal: AbortSignal): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Somebody else on this machine may install as well.
  await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], { timeout: 6 * MINUTE, signal, env });
}
