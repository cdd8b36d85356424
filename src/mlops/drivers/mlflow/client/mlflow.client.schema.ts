import { isAbsolute } from 'node:path';
import Joi from 'joi';
import { MAX_TIMER_MS } from '../../../../core/deadline.js';
import { MAX_RETRY_DELAY_MS } from '../../../../core/retry.js';
import { acceptSnakeCase } from '../../../../core/validate.js';
import { ARTIFACT_DEFAULTS, TRANSPORT_DEFAULTS, type MLflowClientOptions } from './mlflow.client.options.js';
import { serverUriFault } from './mlflow.server-uri.js';

/** Bytes of the smallest part that S3 takes. */
const LEAST_PART = 5 * 1024 * 1024;

/** Headers that belong to the connection or the body, which the client writes itself. */
const HEADER_NAME =
  /^(?!(?:connection|keep-alive|transfer-encoding|content-length|content-type|expect|upgrade|te|trailer)$)[\w!#$%&'*+.^`|~-]+$/i;

const uri = () =>
  Joi.string()
    .custom((value: string, helpers) => {
      const fault = serverUriFault(value);
      return fault === undefined ? value : helpers.error('mlflow.uri', { fault });
    }, 'address of an MLflow server')
    .messages({ 'mlflow.uri': '{{#fault}}' });

const ms = () => Joi.number().integer().min(1).max(MAX_TIMER_MS);

const isProvider = (value: unknown): boolean =>
  typeof value === 'function' ||
  (typeof value === 'object' &&
    value !== null &&
    ['getToken', 'getHeaders'].some((name) => typeof (value as Record<string, unknown>)[name] === 'function'));

const auth = Joi.object({
  type: Joi.string()
    .valid('none', 'basic', 'bearer', 'provider')
    .description('How the client shows who it is. Default: by what is given here, else in the environment.'),
  username: Joi.string().description('For basic. Default MLFLOW_TRACKING_USERNAME.'),
  password: Joi.string().allow('').meta({ secret: true }).description('For basic. Default MLFLOW_TRACKING_PASSWORD.'),
  token: Joi.string().meta({ secret: true }).description('For bearer. Default MLFLOW_TRACKING_TOKEN.'),
  // Joi would copy an object, and with it lose what a class keeps to itself.
  provider: Joi.any()
    .custom((value: unknown, helpers) => (isProvider(value) ? value : helpers.error('mlflow.provider')), 'provider')
    .messages({ 'mlflow.provider': 'has to be a function, or an object with getToken() or getHeaders()' })
    .description(
      'For provider, in code only: a function or object that gives a token or headers, and a new one after a 401.',
    ),
});

const pem = (what: string, variable?: string) =>
  Joi.string().description(
    `${what}: PEM, or the path of a file with it.${variable === undefined ? '' : ` Default ${variable}.`}`,
  );

const tls = Joi.object({
  ca: pem('Certificates of the trusted authorities', 'MLFLOW_TRACKING_SERVER_CERT_PATH'),
  cert: pem("The client's certificate", 'MLFLOW_TRACKING_CLIENT_CERT_PATH'),
  key: pem("The client's private key, when it is not beside the certificate").meta({ secret: true }),
  insecure: Joi.boolean().description(
    'Takes any certificate of the server. Default MLFLOW_TRACKING_INSECURE_TLS, else false.',
  ),
});

const retry = Joi.object({
  attempts: Joi.number().integer().min(1).max(100).description('How often a request is sent at most. Default 5.'),
  delay: Joi.number().min(0).max(MAX_RETRY_DELAY_MS).description('Wait before the second attempt, in ms. Default 500.'),
  factor: Joi.number().min(1).description('What the wait is multiplied by after each attempt. Default 2.'),
  maxDelay: Joi.number().min(0).max(MAX_RETRY_DELAY_MS).description('Longest wait, in ms. Default 30 000.'),
  jitter: Joi.number().min(0).max(1).description('Share of each wait that is drawn at random. Default 0.5.'),
  respectRetryAfter: Joi.boolean().description("Whether the server's Retry-After makes a wait longer. Default true."),
}).description(
  'How requests are sent again. Environment: MLFLOW_HTTP_REQUEST_MAX_RETRIES, _BACKOFF_FACTOR, _BACKOFF_JITTER, MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER.',
);

const artifacts = Joi.object({
  multipart: Joi.string()
    .valid('auto', 'off')
    .default(ARTIFACT_DEFAULTS.multipart)
    .description('Whether large files are sent in parts where the server can.'),
  partSize: Joi.number().integer().min(LEAST_PART).default(ARTIFACT_DEFAULTS.partSize).description('Bytes of a part.'),
  multipartThreshold: Joi.number()
    .integer()
    .min(0)
    .default(ARTIFACT_DEFAULTS.multipartThreshold)
    .description('Smallest file that is sent in parts, in bytes.'),
}).default();

const folder = Joi.string()
  .custom((value: string, helpers) => (isAbsolute(value) ? value : helpers.error('mlflow.folder')), 'absolute path')
  .messages({ 'mlflow.folder': 'has to be an absolute path' });

/**
 * Joi keys of `MLflowClientOptions`. What the environment may say has no default here, so that the order stays:
 * configuration, environment, default.
 */
export const mlflowClientKeys = {
  mlflowUri: uri().description(
    'Address of the MLflow server, e.g. http://127.0.0.1:5000; a path is kept. Default MLFLOW_TRACKING_URI.',
  ),
  registryUri: uri().description(
    'Address of the model registry. It gets the same auth, headers and TLS; credentials inside mlflow_uri are for that ' +
      'address only. Default MLFLOW_REGISTRY_URI, then mlflowUri.',
  ),
  auth: auth.description('Credentials; those in mlflowUri (user:password@) win.'),
  tls: tls.description('How the connection is secured.'),
  headers: Joi.object()
    .pattern(
      HEADER_NAME,
      Joi.string()
        .allow('')
        .pattern(/^[\t\x20-\x7e\x80-\xff]*$/, 'a header value')
        .meta({ secret: true }),
    )
    .default({})
    .description('Headers of every request to the server.'),
  workspace: Joi.string()
    .pattern(/^[\w.-]+$/, 'the name of a workspace')
    .description('Workspace, on servers that have them. Default MLFLOW_WORKSPACE.'),
  requestTimeout: ms().description(
    'Most time of one attempt, in ms; of an upload or download, the longest time without progress. ' +
      'Default MLFLOW_HTTP_REQUEST_TIMEOUT (in s), else 60 000.',
  ),
  connectTimeout: ms().default(TRANSPORT_DEFAULTS.connectTimeout).description('Most time to open a connection, in ms.'),
  deadline: ms().description(
    'Most time of a call with all its attempts, in ms; uploads and downloads have none. Default twice requestTimeout.',
  ),
  retry,
  connections: Joi.number()
    .integer()
    .min(1)
    .default(TRANSPORT_DEFAULTS.connections)
    .description('Most connections to the server at a time.'),
  allowFileUris: Joi.alternatives(Joi.boolean(), Joi.array().items(folder))
    .default(false)
    .description(
      "Whether artifacts may be read and written at file:// URIs, in this process's file system. A list of absolute paths " +
        'allows these folders and what is below them.',
    ),
  artifacts: artifacts.description('How files are uploaded.'),
};

/** Schema of `MLflowClientOptions`; snake_case keys are read too. */
export const mlflowClientSchema = acceptSnakeCase(Joi.object<MLflowClientOptions>(mlflowClientKeys));
