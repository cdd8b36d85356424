import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where MLflow's proxy for artifacts stands on the server. */
export const PROXY = '/api/2.0/mlflow-artifacts/artifacts';

/** The place that the `artifact_uri` of a run or logged model names. */
export type ArtifactRoot =
  /** Behind the server's artifact proxy, below the path `segments`. */
  | { kind: 'proxy'; uri: string; segments: readonly string[] }
  /** A folder on this machine. */
  | { kind: 'folder'; uri: string; folder: string }
  /** A place that this process does not go to. The server may read it for us where `serverReads`. */
  | { kind: 'elsewhere'; uri: string; serverReads: boolean; reason: string };

/** What decides where an `artifact_uri` may lead. */
export interface ArtifactUriRules {
  /** Base URL of the server, e.g. `https://host:5000`. URIs that name a host have to name this one. Default: none may. */
  origin?: string;
  /**
   * Whether `file://` URIs and plain paths mean the disk of this machine, which is so when server and app share it. A
   * list allows these folders and what is below them; `true` any folder that the server names. Default false.
   */
  allowFileUris?: boolean | readonly string[];
}

const HOW_TO_PROXY =
  'Let the server pass artifacts on: `mlflow server --serve-artifacts --artifacts-destination <store>`, ' +
  'and make the experiment anew, since the place is fixed when it is created.';

/** Reads an `artifact_uri`. Throws nothing: a place that cannot be reached is told by `kind: 'elsewhere'`. */
export function parseArtifactUri(uri: string, rules: ArtifactUriRules = {}): ArtifactRoot {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 'mlflow-artifacts' || scheme === 'http' || scheme === 'https') return proxied(uri, scheme, rules);
  // A single letter before ":" is a drive of Windows.
  if (scheme === undefined || scheme === 'file') return onDisk(uri, rules);
  const store = STORES.get(scheme) ?? `a store of the kind ${scheme}:`;
  return elsewhere(
    uri,
    true,
    `the artifacts lie in ${store} (${uri}), which this driver does not go to. ${HOW_TO_PROXY}`,
  );
}

const STORES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    s3: 'Amazon S3',
    gs: 'Google Cloud Storage',
    wasb: 'Azure Blob Storage',
    wasbs: 'Azure Blob Storage',
    abfs: 'Azure Data Lake Storage',
    abfss: 'Azure Data Lake Storage',
    dbfs: 'DBFS of Databricks',
    hdfs: 'HDFS',
    viewfs: 'HDFS',
    ftp: 'an FTP server',
    sftp: 'an SFTP server',
    r2: 'Cloudflare R2',
    b2: 'Backblaze B2',
  }),
);

function proxied(uri: string, scheme: string, { origin }: ArtifactUriRules): ArtifactRoot {
  const rest = uri.slice(scheme.length + 1);
  // Taken apart by hand: URL would fold dot segments and encode what the server stores as it is.
  const [, host = '', path = ''] = /^(?:\/\/([^/?#]*))?([^]*)$/.exec(rest) ?? [];
  if (host !== '' && !sameHost(host, scheme, origin)) {
    return elsewhere(
      uri,
      false,
      `the artifacts lie on another host (${uri}) than the configured server; credentials are sent to that one only.`,
    );
  }
  let below = path;
  if (scheme !== 'mlflow-artifacts') {
    const anchor = path.indexOf(`${PROXY}/`);
    if (host === '' || anchor < 0) {
      return elsewhere(uri, false, `${uri} is no address of an MLflow artifact proxy: uploads have nowhere to go.`);
    }
    below = path.slice(anchor + PROXY.length);
  }
  const segments = below.split('/').filter((segment) => segment !== '');
  if (!segments.includes('..') && !segments.includes('.')) return { kind: 'proxy', uri, segments };
  return elsewhere(uri, false, `${uri} leaves the folder of the artifact proxy by ".".`);
}

function sameHost(host: string, scheme: string, origin: string | undefined): boolean {
  if (origin === undefined || host.includes('@')) return false;
  try {
    const server = new URL(origin);
    // Without a scheme of its own the URI means the one that the server is reached by.
    const named = new URL(`${scheme === 'mlflow-artifacts' ? server.protocol : `${scheme}:`}//${host}`);
    return named.protocol === server.protocol && named.host === server.host;
  } catch {
    return false;
  }
}

function onDisk(uri: string, { allowFileUris = false }: ArtifactUriRules): ArtifactRoot {
  const folder = folderOf(uri);
  if (folder === undefined) {
    return elsewhere(uri, true, `${uri} names no folder of this machine. ${HOW_TO_PROXY}`);
  }
  const allowed =
    typeof allowFileUris === 'boolean' ? allowFileUris : allowFileUris.some((root) => isBelow(folder, resolve(root)));
  if (allowed) return { kind: 'folder', uri, folder };
  return elsewhere(
    uri,
    true,
    `the artifacts lie on a disk (${uri}), which may be the server's and not this machine's. ${HOW_TO_PROXY} Where both ` +
      'share the disk, the option allowFileUris permits it.',
  );
}

function folderOf(uri: string): string | undefined {
  try {
    if (isAbsolute(uri)) return resolve(uri);
    return /^file:/i.test(uri) ? fileURLToPath(uri) : undefined;
  } catch {
    // One with a host name, or with an encoded slash.
    return undefined;
  }
}

function isBelow(folder: string, root: string): boolean {
  const path = relative(root, folder);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

function elsewhere(uri: string, serverReads: boolean, reason: string): ArtifactRoot {
  return { kind: 'elsewhere', uri, serverReads, reason };
}
