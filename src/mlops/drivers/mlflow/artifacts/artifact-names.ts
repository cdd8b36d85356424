import { HubError } from '../../../../core/errors.js';
import { checkArtifactPath, invalid } from '../../../mlops.validation.js';

/**
 * Checks a path that MLflow's server is to read or store and returns its segments. `INVALID_ARGUMENT` for what no
 * artifact path may hold, and for names that the server takes for others: it decodes paths once more than HTTP does
 * (`_decode` and `validate_path_is_safe` in mlflow/utils/uri.py), so that `50%41` would be stored as `50A`, and it drops
 * a `?` or `;` at the end. It refuses `#`.
 * @param prefix where the path begins on the server
 * @param root whether the empty path, meaning everything, is allowed
 */
export function checkServerPath(prefix: readonly string[], path: unknown, root = false): string[] {
  const segments = checkArtifactPath(path, root);
  const fault = faultOf([...prefix, ...segments].join('/'));
  if (fault === undefined) return segments;
  throw invalid(`MLflow's server cannot keep the artifact path ${JSON.stringify(path)}: ${fault}.`);
}

/** The path of a URL, each segment percent-encoded; they have to be checked before. */
export function encodeSegments(segments: readonly string[]): string {
  return segments.map(encodeURIComponent).join('/');
}

/**
 * Checks a name that the server lists in a folder, before anything is made of it: one segment that stays in the folder.
 * `UNSUPPORTED` otherwise.
 */
export function checkListedName(name: unknown, folder: string): string {
  // Some file systems fold look-alikes: two full-width dots would become "..".
  const bad = typeof name !== 'string' || name === '' || name.includes('/') || /^\.\.?$/.test(name.normalize('NFKC'));
  if (!bad) return name;
  throw new HubError(
    'UNSUPPORTED',
    `the server lists ${JSON.stringify(name)} in the artifact folder ${JSON.stringify(folder)}, which is no name there.`,
  );
}

/**
 * Checks a listed path before a local file is made of it. `UNSUPPORTED` for names that mean another place on this
 * machine or that it cannot keep.
 */
export function checkLocalName(path: string, platform: NodeJS.Platform = process.platform): string[] {
  const segments = path.split('/');
  const windows = platform === 'win32' && segments.some((name) => /[<>:"|?*]|[. ]$/.test(name));
  let bad = windows;
  try {
    for (const name of segments) checkListedName(name, path);
    checkArtifactPath(path);
  } catch {
    bad = true;
  }
  if (!bad) return segments;
  throw new HubError('UNSUPPORTED', `the artifact ${JSON.stringify(path)} cannot be kept under this name on a disk.`);
}

/** Why the server would not keep a path as it is, or `undefined`. */
function faultOf(path: string): string | undefined {
  if (path.includes('#')) return 'it refuses "#"';
  if (/\p{Surrogate}/u.test(path)) return 'half a surrogate pair is no character';
  if (path.includes('\u007f')) return 'it rewrites control characters';
  if (/%[0-9a-f]{2}/i.test(path)) return 'it decodes "%" before two hexadecimal digits';
  const [beforeQuery = '', ...query] = path.split('?');
  if (query.length > 0 && query.join('?') === '') return 'it drops "?" at the end';
  const last = beforeQuery.slice(beforeQuery.lastIndexOf('/') + 1);
  if (last.includes(';') && last.indexOf(';') === last.length - 1) return 'it drops ";" at the end of a name';
  if (path.startsWith(' ')) return 'it drops spaces at the start';
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) return 'it takes what stands before ":" for the scheme of a URI';
  return undefined;
}
