import { HubError, type HubErrorOptions } from './errors.js';

/**
 * The `PEER_MISSING` error of a failed `import()`, when one of `peers` is what could not be found; otherwise `undefined`.
 * @param peers npm packages as they would be given to `npm install`, which is what the message says
 */
export function peerError(error: unknown, peers: readonly string[], source: HubErrorOptions): HubError | undefined {
  const missing = missingPackage(error);
  if (missing === undefined || !peers.some((peer) => packageName(peer) === missing)) return undefined;
  return new HubError(
    'PEER_MISSING',
    `the driver needs the package ${missing}, which is not installed. Run: npm install ${peers.join(' ')}`,
    { ...source, cause: error, details: { missing, install: [...peers] } },
  );
}

function missingPackage(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'MODULE_NOT_FOUND') return undefined;
  const specifier = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1];
  return specifier === undefined ? undefined : packageName(specifier);
}

function packageName(specifier: string): string {
  const [scope = '', name = ''] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name.split('@')[0]}` : (scope.split('@')[0] ?? scope);
}
