import { errorMessage, HubError } from '../../../../core/errors.js';
import { MLFLOW_SOURCE, type MLflowErrorDetails } from '../mlflow.errors.js';

/** Node's and OpenSSL's codes for a connection that will not become secure by waiting. */
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;
/** undici's codes for a request that it refuses to send. */
const INVALID_CODES = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'UND_ERR_NOT_SUPPORTED']);
const CLOSED_CODES = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);

/** The error of a connection that could not be made, or broke. `details` are those of one that another try may mend. */
export function connectionError(error: unknown, server: string, details: MLflowErrorDetails): HubError {
  const code = codeOf(error);
  const { transient: _transient, ...final } = details;
  const make = (hubCode: 'CLOSED' | 'INVALID_ARGUMENT' | 'UNAVAILABLE', message: string, kept = final): HubError =>
    new HubError(hubCode, message, { ...MLFLOW_SOURCE, cause: error, details: { ...kept } });
  if (CLOSED_CODES.has(code)) return make('CLOSED', 'the client of the MLflow server was closed.');
  if (INVALID_CODES.has(code)) return make('INVALID_ARGUMENT', `the request cannot be sent: ${errorMessage(error)}`);
  if (TLS_CODE.test(code)) {
    return make(
      'UNAVAILABLE',
      `no secure connection to ${server} (${code}: ${textOf(error)}). For a private authority set tls.ca, for a client ` +
        'certificate tls.cert and tls.key; a server without TLS needs http://.',
    );
  }
  const place = details.maybeDone === true ? 'lost the connection to' : 'cannot reach';
  return make('UNAVAILABLE', `${place} ${server}: ${textOf(error)}`, details);
}

/** The error of a source of bytes that failed while it was being uploaded. */
export function sourceError(error: unknown): HubError {
  if (HubError.is(error)) return error;
  return new HubError('INVALID_ARGUMENT', `the data to upload cannot be read: ${errorMessage(error)}`, {
    ...MLFLOW_SOURCE,
    cause: error,
  });
}

function codeOf(error: unknown): string {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Node sums the failures for several addresses of one host up in an error without a message. */
function textOf(error: unknown): string {
  const message = errorMessage(error);
  if (message !== '') return message;
  const errors: unknown = (error as { errors?: unknown } | null | undefined)?.errors;
  if (Array.isArray(errors)) return errors.map((one) => errorMessage(one)).join(', ');
  return codeOf(error) || 'no reason given';
}
