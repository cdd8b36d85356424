import type { RetryPolicy } from '../../../../core/retry.js';
import type { MLflowAuth, MLflowAuthProvider } from './mlflow.auth.types.js';
import type { MLflowTls } from './mlflow.tls.js';

/** How often and how patiently a request is sent again. Waits grow from `delay` by `factor` up to `maxDelay`. */
export interface MLflowRetryOptions extends RetryPolicy {
  /** Whether the server's `Retry-After` (up to a minute) makes a wait longer. Default true. */
  respectRetryAfter?: boolean;
}

/** Credentials as they are configured. `type` may be left out: what is given says which it is. */
export interface MLflowAuthOptions {
  /** Default: `provider`, `basic` or `bearer`, by what is given here, else in the environment; else `none`. */
  type?: 'none' | 'basic' | 'bearer' | 'provider';
  username?: string;
  password?: string;
  token?: string;
  /** In code only: a function, or an object with `getToken()` or `getHeaders()`. */
  provider?: MLflowAuthProvider;
}

/** How files are uploaded. */
export interface MLflowArtifactOptions {
  /** `auto` (default): in parts where the server can and the file has at least `multipartThreshold` bytes; `off`: never. */
  multipart: 'auto' | 'off';
  /** Bytes of a part, at least 5 MiB for most stores. Default 16 MiB. */
  partSize: number;
  /**
   * Smallest file of known length that is sent in parts, in bytes. Streams of unknown length are, from one part on.
   * Default 100 MiB.
   */
  multipartThreshold: number;
}

/**
 * Options of the typed client; also part of those of the driver. What is left out comes from the environment variables
 * of MLflow's Python client, then from the defaults named here.
 */
export interface MLflowClientOptions {
  /**
   * Address of the server, e.g. `https://user:password@host/mlflow`; a path is kept, and credentials in it win over
   * {@link auth}. Default `MLFLOW_TRACKING_URI`.
   */
  mlflowUri?: string;
  /**
   * Address of the model registry. It gets the same auth, headers and TLS; credentials inside {@link mlflowUri} are for that
   * address only. Default `MLFLOW_REGISTRY_URI`, then {@link mlflowUri}.
   */
  registryUri?: string;
  /** Default `MLFLOW_TRACKING_USERNAME` with `_PASSWORD`, then `MLFLOW_TRACKING_TOKEN`, then none. */
  auth?: MLflowAuthOptions;
  /** Default `MLFLOW_TRACKING_SERVER_CERT_PATH`, `_CLIENT_CERT_PATH` and `_INSECURE_TLS`. */
  tls?: MLflowTls;
  /** Headers of every request to the server. */
  headers?: Record<string, string>;
  /** Workspace on servers that have them. Default `MLFLOW_WORKSPACE`. */
  workspace?: string;
  /**
   * Most time of one attempt in ms; of an upload or download, the longest time without progress. Default
   * `MLFLOW_HTTP_REQUEST_TIMEOUT` (s), then 60 000.
   */
  requestTimeout?: number;
  /** Most time to open a connection, in ms. Default 10 000. */
  connectTimeout?: number;
  /** Most time of a call with all its attempts, in ms; uploads and downloads have none. Default twice `requestTimeout`. */
  deadline?: number;
  /** Default 5 attempts, 500 ms, factor 2, at most 30 000 ms, jitter 0.5; or what `MLFLOW_HTTP_REQUEST_*` say. */
  retry?: MLflowRetryOptions;
  /** Most connections to the server at a time. Default 16. */
  connections?: number;
  /**
   * Whether artifacts may be read and written at `file://` URIs, in this process's file system. A list of absolute paths
   * allows these folders and what is below them. Default false.
   */
  allowFileUris?: boolean | readonly string[];
  artifacts?: Partial<MLflowArtifactOptions>;
}

/** What connections to one server are made with; {@link TRANSPORT_DEFAULTS} but for the address. */
export interface TransportOptions {
  /** Address of the server; credentials in it win over `auth`. */
  uri: string;
  auth: MLflowAuth;
  tls: MLflowTls;
  headers: Readonly<Record<string, string>>;
  workspace?: string;
  /** ms, see {@link MLflowClientOptions.requestTimeout}. */
  requestTimeout: number;
  /** ms. */
  connectTimeout: number;
  /** ms, see {@link MLflowClientOptions.deadline}. */
  deadline: number;
  retry: Required<MLflowRetryOptions>;
  connections: number;
}

/** {@link MLflowClientOptions} with everything set. */
export interface ResolvedClientOptions extends Omit<TransportOptions, 'uri'> {
  mlflowUri: string;
  registryUri: string;
  allowFileUris: boolean | readonly string[];
  artifacts: MLflowArtifactOptions;
}

/** What {@link TransportOptions} are when nothing else says so; `deadline` is then twice `requestTimeout`. */
export const TRANSPORT_DEFAULTS = {
  auth: { type: 'none' },
  tls: {},
  headers: {},
  requestTimeout: 60_000,
  connectTimeout: 10_000,
  deadline: 120_000,
  retry: { attempts: 5, delay: 500, factor: 2, maxDelay: 30_000, jitter: 0.5, respectRetryAfter: true },
  connections: 16,
} as const satisfies Omit<TransportOptions, 'uri'>;

/** What {@link MLflowArtifactOptions} are when nothing else says so. */
export const ARTIFACT_DEFAULTS = {
  multipart: 'auto',
  partSize: 16 * 1024 * 1024,
  multipartThreshold: 100 * 1024 * 1024,
} as const satisfies MLflowArtifactOptions;
