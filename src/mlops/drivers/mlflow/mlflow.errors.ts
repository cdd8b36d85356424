import { HubError, type HubErrorCode } from '../../../core/errors.js';
import { answerText, MLFLOW_SOURCE, type MLflowAnswer, type MLflowErrorDetails } from './mlflow.answer.js';

export { looksLikeHtml, MLFLOW_SOURCE, type MLflowAnswer, type MLflowErrorDetails } from './mlflow.answer.js';

/** Statuses after which another attempt may succeed; those of MLflow's Python client. */
const TRANSIENT_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

/** MLflow's `error_code` → ours, where it does not depend on the message. */
const CODES: ReadonlyMap<string, HubErrorCode> = new Map(
  Object.entries({
    RESOURCE_DOES_NOT_EXIST: 'NOT_FOUND',
    NOT_FOUND: 'NOT_FOUND',
    RESOURCE_ALREADY_EXISTS: 'ALREADY_EXISTS',
    ALREADY_EXISTS: 'ALREADY_EXISTS',
    RESOURCE_CONFLICT: 'CONFLICT',
    ABORTED: 'CONFLICT',
    INVALID_STATE: 'CONFLICT',
    INVALID_PARAMETER_VALUE: 'INVALID_ARGUMENT',
    BAD_REQUEST: 'INVALID_ARGUMENT',
    MALFORMED_REQUEST: 'INVALID_ARGUMENT',
    PERMISSION_DENIED: 'UNAUTHORIZED',
    CUSTOMER_UNAUTHORIZED: 'UNAUTHORIZED',
    UNAUTHENTICATED: 'UNAUTHORIZED',
    ENDPOINT_NOT_FOUND: 'UNSUPPORTED',
    FEATURE_DISABLED: 'UNSUPPORTED',
    NOT_IMPLEMENTED: 'UNSUPPORTED',
  } as const),
);

/** MLflow's own words for faults that it files under a code too wide, and what they are. */
const MESSAGES: readonly [code: string, words: RegExp, meaning: HubErrorCode][] = [
  [
    'INVALID_PARAMETER_VALUE',
    /must be in the '\w+' (state|lifecycle)|Changing param values is not allowed/i,
    'CONFLICT',
  ],
  ['INVALID_PARAMETER_VALUE', /^Registered model alias .* not found/i, 'NOT_FOUND'],
  // The SQL store hands the database's words on: renaming onto a name that is taken, a parent that is gone.
  ['BAD_REQUEST', /unique constraint|duplicate (key|entry)/i, 'ALREADY_EXISTS'],
  ['BAD_REQUEST', /foreign key constraint/i, 'NOT_FOUND'],
];

/** How stores say, through a server that makes a 500 of it, that an artifact is not there. */
const MISSING_ARTIFACT =
  /no such (file|artifact|key|object)|does not exist|NoSuchKey|\(404\)|404 (client error|not found)|BlobNotFound|not found/i;

/**
 * The error of an answer that is no success. This is the only place that knows what MLflow's errors mean; `details` are
 * {@link MLflowErrorDetails}.
 */
export function answerError(answer: MLflowAnswer): HubError {
  const { status, server } = answer;
  const said = answerText(answer);
  const redirect = redirectError(answer);
  if (redirect !== undefined) return redirect;
  if (said.errorCode === undefined) return plainError(answer, said.text);
  const details = detailsOf(answer, said.errorCode);
  const message = `${said.text || 'no reason given'} (${said.errorCode}, status ${status}, from ${server})`;
  return new HubError(codeOf(answer, said.errorCode, said.text), message, {
    ...MLFLOW_SOURCE,
    details: isRetried(answer, said.errorCode, said.text) ? details : withoutTransience(details),
  });
}

/** Whether the outcome of the request that failed with `error` is unknown: it may have taken effect. */
export function isMaybeDone(error: unknown): boolean {
  return HubError.is(error) && error.details['maybeDone'] === true;
}

function codeOf(answer: MLflowAnswer, errorCode: string, text: string): HubErrorCode {
  if (isMissingArtifact(answer, errorCode, text)) return 'NOT_FOUND';
  const worded = MESSAGES.find(([code, words]) => code === errorCode && words.test(text));
  return worded?.[2] ?? CODES.get(errorCode) ?? codeOfStatus(answer.status);
}

function codeOfStatus(status: number): HubErrorCode {
  if (status === 401 || status === 403 || status === 407) return 'UNAUTHORIZED';
  if (status === 413 || status === 414 || status === 431) return 'PAYLOAD_INVALID';
  if (status === 409 || status === 412) return 'CONFLICT';
  if (status === 404 || status === 405 || status === 501) return 'UNSUPPORTED';
  if (status === 408 || status === 429 || status >= 500 || status < 400) return 'UNAVAILABLE';
  return 'INVALID_ARGUMENT';
}

/** A missing artifact is a 500 on servers before 3.15 or so, whatever their store. */
function isMissingArtifact({ status, method, path }: MLflowAnswer, errorCode: string, text: string): boolean {
  if (status !== 500 || method !== 'GET' || !/\/(mlflow-artifacts\/artifacts|get-artifact)\b/.test(path)) return false;
  return errorCode === 'INTERNAL_ERROR' && MISSING_ARTIFACT.test(text);
}

function isRetried(answer: MLflowAnswer, errorCode: string, text: string): boolean {
  return codeOf(answer, errorCode, text) === 'UNAVAILABLE';
}

/** The error of an answer that does not come from MLflow's API itself: its middleware, its framework, a proxy, a store. */
function plainError(answer: MLflowAnswer, text: string): HubError {
  const { status, server, foreign } = answer;
  const details = detailsOf(answer);
  const fail = (code: HubErrorCode, message: string, kept: MLflowErrorDetails = withoutTransience(details)): HubError =>
    new HubError(code, message, { ...MLFLOW_SOURCE, details: { ...kept } });
  const words = text === '' ? '' : `: ${text}`;
  if (foreign === true) {
    return fail(status === 404 ? 'NOT_FOUND' : codeOfStatus(status), `${server} answered ${status}${words}`, details);
  }
  if (status === 403 && /invalid host header/i.test(text)) {
    const host = URL.canParse(server) ? new URL(server).host : server;
    return fail(
      'UNAVAILABLE',
      `the MLflow server at ${server} takes no requests for this host name: start it with ` +
        `--allowed-hosts "${host}" (or set MLFLOW_SERVER_ALLOWED_HOSTS), or reach it by localhost or a private address.`,
    );
  }
  if (status === 403 && /cross-origin request blocked/i.test(text)) {
    return fail('UNAUTHORIZED', `the MLflow server at ${server} refuses the header Origin: leave it out of "headers".`);
  }
  if (/--artifacts-only|--no-serve-artifacts/.test(text)) return fail('UNSUPPORTED', `${server} answered${words}`);
  if (status === 401 || status === 403 || status === 407) {
    const hint = status === 403 ? 'the credentials do not allow this' : 'the credentials are missing or wrong';
    return fail('UNAUTHORIZED', `${server} answered ${status}, ${hint}${words}`);
  }
  if (status === 404 || status === 405) {
    return fail(
      'UNSUPPORTED',
      `${server} knows no ${answer.method} ${answer.path}: it is no MLflow server, a path before it is missing in ` +
        'mlflow_uri, or its version is too old for this.',
    );
  }
  return fail(codeOfStatus(status), `${server} answered ${status}${words}`, details);
}

function redirectError(answer: MLflowAnswer): HubError | undefined {
  const { status, server, location } = answer;
  if (status < 300 || status >= 400) return undefined;
  const details = { ...withoutTransience(detailsOf(answer)) };
  const target = location !== undefined && URL.canParse(location, server) ? new URL(location, server) : undefined;
  if (target === undefined) {
    return new HubError('UNAVAILABLE', `${server} answered ${status}.`, { ...MLFLOW_SOURCE, details });
  }
  // The query may hold a state or a token.
  const shown = answer.hide?.(target.origin + target.pathname) ?? target.origin + target.pathname;
  const isMoved = target.pathname.replace(/\/$/, '') === answer.path.replace(/\/$/, '');
  return isMoved
    ? new HubError(
        'UNAVAILABLE',
        `${server} redirects to ${target.origin}: set mlflow_uri to the address that answers.`,
        {
          ...MLFLOW_SOURCE,
          details,
        },
      )
    : new HubError(
        'UNAUTHORIZED',
        `${server} redirects to ${shown}, likely a login page: give credentials that the proxy before it takes.`,
        { ...MLFLOW_SOURCE, details },
      );
}

function detailsOf(answer: MLflowAnswer, errorCode?: string): MLflowErrorDetails & Record<string, unknown> {
  const { status, method, retryAfter } = answer;
  const transient = TRANSIENT_STATUSES.has(status);
  // A server that names a time to come back at has put the request off, and did not take it.
  const isPutOff = status === 429 || (status === 503 && retryAfter !== undefined);
  return {
    status,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(transient ? { transient } : {}),
    ...(transient && !isPutOff && method !== 'GET' ? { maybeDone: true } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
}

function withoutTransience(details: MLflowErrorDetails): MLflowErrorDetails & Record<string, unknown> {
  const { transient: _transient, maybeDone: _maybeDone, ...rest } = details;
  return rest;
}
