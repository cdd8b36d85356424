import { describe, expect, it } from 'vitest';
import type { HubErrorCode } from '../../../core/errors.js';
import { answerError, isMaybeDone, type MLflowAnswer } from './mlflow.errors.js';

const SERVER = 'http://mlflow:5000';

const errorOf = (status: number, body: string | object, more: Partial<MLflowAnswer> = {}) =>
  answerError({
    status,
    method: 'POST',
    path: '/api/2.0/mlflow/runs/create',
    server: SERVER,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...more,
  });

describe("MLflow's error codes", () => {
  // Bodies as MLflow 3.17.2 sends them, where no other version is named.
  const answers: [code: HubErrorCode, status: number, errorCode: string, message: string][] = [
    ['NOT_FOUND', 404, 'RESOURCE_DOES_NOT_EXIST', 'Run with id=zzz not found'],
    ['NOT_FOUND', 400, 'INVALID_PARAMETER_VALUE', 'Registered model alias zz not found.'],
    ['NOT_FOUND', 400, 'BAD_REQUEST', '(sqlite3.IntegrityError) FOREIGN KEY constraint failed\n[SQL: INSERT'],
    ['ALREADY_EXISTS', 400, 'RESOURCE_ALREADY_EXISTS', 'Registered Model (name=m) already exists.'],
    ['ALREADY_EXISTS', 400, 'BAD_REQUEST', '(sqlite3.IntegrityError) UNIQUE constraint failed: experiments.name'],
    ['ALREADY_EXISTS', 400, 'BAD_REQUEST', '(psycopg2.errors.UniqueViolation) duplicate key value violates unique'],
    ['CONFLICT', 400, 'INVALID_PARAMETER_VALUE', "The run c2 must be in the 'active' state. Current state is deleted."],
    ['CONFLICT', 400, 'INVALID_PARAMETER_VALUE', "Changing param values is not allowed. Param with key='a' was"],
    ['CONFLICT', 500, 'INVALID_STATE', 'not now'],
    ['CONFLICT', 409, 'RESOURCE_CONFLICT', 'not now'],
    ['INVALID_ARGUMENT', 400, 'INVALID_PARAMETER_VALUE', "Parameter 'version' must be an integer, got 'abc'."],
    ['INVALID_ARGUMENT', 400, 'BAD_REQUEST', 'something else'],
    ['UNAUTHORIZED', 403, 'PERMISSION_DENIED', 'no'],
    ['UNAUTHORIZED', 401, 'UNAUTHENTICATED', 'who'],
    ['UNSUPPORTED', 501, 'NOT_IMPLEMENTED', 'Multipart upload is not supported for the current artifact repository'],
    ['UNSUPPORTED', 500, 'FEATURE_DISABLED', 'Workspace APIs are not available'],
    ['UNSUPPORTED', 404, 'ENDPOINT_NOT_FOUND', 'no such path'],
    ['UNAVAILABLE', 500, 'INTERNAL_ERROR', 'boom'],
    ['UNAVAILABLE', 429, 'REQUEST_LIMIT_EXCEEDED', 'slower'],
    ['UNAVAILABLE', 503, 'TEMPORARILY_UNAVAILABLE', 'later'],
  ];

  it.each(answers)('%s for %i %s: %s', (code, status, errorCode, message) => {
    const error = errorOf(status, { error_code: errorCode, message });
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ status, errorCode });
    expect(error.message).toContain(SERVER);
    expect(error.message).not.toContain('[SQL');
    const passes = code === 'UNAVAILABLE';
    expect(error.details['transient'] === true).toBe(passes);
    expect(isMaybeDone(error)).toBe(passes && status !== 429);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'an error code that is the name of a property, %s, is one that nobody knows',
    (errorCode) => {
      const error = errorOf(400, `{"error_code": "${errorCode}", "message": "odd"}`);
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.details['errorCode']).toBe(errorCode);
    },
  );

  it('what a server says is told without secrets, however it is written', () => {
    const secret = 'p"ä\\ss  w<b>rd';
    const hide = (text: string): string => text.replaceAll(secret, '***');
    const json = JSON.stringify({ error_code: 'BAD_REQUEST', message: `not ${secret}` }).replace('ä', '\\u00e4');
    for (const body of [json, `not ${secret}`, `<html>not ${secret}</html>`]) {
      expect(errorOf(400, body, { hide }).message).toContain('not ***');
    }
    // Also where only its beginning would be shown.
    const { message } = errorOf(400, `${'x'.repeat(490)}${secret}`, { hide });
    expect(message).not.toContain('p"');
  });

  it('a missing artifact is NOT_FOUND also where it is a 500 (MLflow 2 and early 3)', () => {
    const download = { method: 'GET', path: '/api/2.0/mlflow-artifacts/artifacts/1/a' };
    const missing = (message: string, more = {}) =>
      errorOf(500, { error_code: 'INTERNAL_ERROR', message }, { ...download, ...more });
    for (const message of [
      "[Errno 2] No such file or directory: '/served/1/a'",
      'An error occurred (404) when calling the HeadObject operation: Not Found',
      'An error occurred (NoSuchKey) when calling the GetObject operation: The specified key does not exist.',
    ]) {
      expect(missing(message).code).toBe('NOT_FOUND');
      expect(missing(message).details['transient']).toBeUndefined();
    }
    expect(missing('connection to the store was refused').code).toBe('UNAVAILABLE');
    expect(missing('[Errno 2] No such file', { method: 'PUT' }).code).toBe('UNAVAILABLE');
  });
});

describe('answers that MLflow did not write', () => {
  it('the guard of host names is explained, and asking again is no help', () => {
    const error = errorOf(403, 'Invalid Host header - possible DNS rebinding attack detected');
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toContain('--allowed-hosts "mlflow:5000"');
    expect(error.details).toEqual({ status: 403 });
  });

  it('the codes follow the statuses', () => {
    const codes: [number, HubErrorCode, string?][] = [
      [400, 'INVALID_ARGUMENT'],
      [401, 'UNAUTHORIZED'],
      [403, 'UNAUTHORIZED', 'Permission denied'],
      [403, 'UNAUTHORIZED', 'Cross-origin request blocked'],
      [404, 'UNSUPPORTED', '<!doctype html><title>404 Not Found</title>'],
      [405, 'UNSUPPORTED'],
      [407, 'UNAUTHORIZED'],
      [409, 'CONFLICT'],
      [413, 'PAYLOAD_INVALID'],
      [500, 'UNAVAILABLE', '<html><h1>Internal Server Error</h1></html>'],
      [503, 'UNSUPPORTED', 'Endpoint disabled: the server runs in `--artifacts-only` mode'],
      [503, 'UNAVAILABLE'],
    ];
    for (const [status, code, body = ''] of codes) expect([status, errorOf(status, body).code]).toEqual([status, code]);
  });

  it('pages are told by their words, on one short line', () => {
    const page = `<html><style>b{}</style><h1>Bad\n Gateway</h1>${'<p>x</p>'.repeat(1_000)}</html>`;
    const { message } = errorOf(502, page);
    expect(message).toContain('502: Bad Gateway x x');
    expect(message.length).toBeLessThan(700);
    expect(message).not.toMatch(/[<\n]|b\{/);
  });

  it('a put-off request was not done, any other may have been', () => {
    expect(errorOf(503, '', { retryAfter: 5 }).details).toEqual({ status: 503, transient: true, retryAfter: 5 });
    expect(errorOf(429, '').details).toEqual({ status: 429, transient: true });
    expect(errorOf(503, '').details).toEqual({ status: 503, transient: true, maybeDone: true });
    expect(errorOf(503, '', { method: 'GET' }).details).toEqual({ status: 503, transient: true });
  });

  it('a store says NOT_FOUND without a code of MLflow', () => {
    expect(errorOf(404, '<Error><Code>NoSuchKey</Code></Error>', { foreign: true }).code).toBe('NOT_FOUND');
  });
});
