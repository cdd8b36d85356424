import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import Joi from 'joi';
import { HubError, type HubErrorCode } from '../../core/errors.js';

/** One fault of a request. */
export interface ProblemFault {
  /** `path`, `query` or `body`, then the keys. */
  path: string;
  message: string;
}

/** Body of every error answer, `application/problem+json` (RFC 9457). */
export interface Problem {
  /** Always `about:blank`: the code tells more. */
  type: string;
  /** The words of the status. */
  title: string;
  status: number;
  detail: string;
  /** A code of docs/errors.md, or one for what only HTTP knows, such as `METHOD_NOT_ALLOWED`. */
  code: string;
  /** `urn:uuid:…` of this answer; a fault of the server is logged with it. */
  instance: string;
  /** Of a request that does not fit: every fault. */
  errors?: ProblemFault[];
}

/** Joi schema of {@link Problem}. @internal */
export const problemSchema = Joi.object({
  type: Joi.string().required(),
  title: Joi.string().required(),
  status: Joi.number().integer().min(400).max(599).required(),
  detail: Joi.string().allow('').required(),
  code: Joi.string().required().description('Stable code for programs.'),
  instance: Joi.string().required().description('Identity of this answer; faults of the server are logged with it.'),
  errors: Joi.array()
    .items(Joi.object({ path: Joi.string().allow('').required(), message: Joi.string().required() }))
    .description('Every fault of a request that does not fit.'),
}).description('An error, see RFC 9457.');

/**
 * Status of each code. What the caller can change is 4xx. A task that fails is 422, not 5xx: the request was understood
 * and carried out, and a proxy must not repeat it.
 * @internal
 */
export const PROBLEM_STATUS: Record<HubErrorCode, number> = {
  CONFIG_INVALID: 500,
  DRIVER_UNKNOWN: 500,
  DRIVER_INVALID: 500,
  PEER_MISSING: 500,
  PLUGIN_DISABLED: 501,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  CONFLICT: 409,
  CLOSED: 503,
  TIMEOUT: 504,
  ABORTED: 503,
  UNAVAILABLE: 503,
  UNSUPPORTED: 501,
  INVALID_ARGUMENT: 400,
  PAYLOAD_INVALID: 422,
  // The backend refused the hub, not the caller.
  UNAUTHORIZED: 502,
  DELIVERY_LOST: 503,
  RESULT_EXPIRED: 410,
  STORE_LOCKED: 503,
  TASK_FAILED: 422,
  TASK_REVOKED: 409,
  INTERNAL: 500,
};

/** Codes of what only HTTP knows. */
const HTTP_CODES: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'TOO_MANY_REQUESTS',
  503: 'UNAVAILABLE',
};

/** What is told of a fault of the server; its message may name hosts and files and goes to the log alone. */
const SERVER_DETAILS: Partial<Record<HubErrorCode, string>> = {
  TIMEOUT: 'A backend did not answer in time.',
  UNAVAILABLE: 'A backend cannot be reached.',
  CLOSED: 'The plugin is not open: it is starting, or the application is shutting down.',
  STORE_LOCKED: 'Another process owns the store.',
  PLUGIN_DISABLED: 'The plugin that this needs is switched off.',
  UNSUPPORTED: 'The configured driver cannot do this.',
  UNAUTHORIZED: "A backend refused the hub's credentials.",
};

/** A request that does not fit its schema. @internal */
export class RequestFaultsError extends Error {
  constructor(readonly faults: ProblemFault[]) {
    super('The request does not fit.');
  }
}

/** The problem of anything thrown; `text` removes secrets. @internal */
export function problemOf(error: unknown, text: (value: string) => string): Problem {
  if (error instanceof RequestFaultsError) {
    const errors = error.faults.map(({ path, message }) => ({ path, message: text(message) }));
    return { ...problem(400, 'INVALID_ARGUMENT', text(summary(error.faults))), errors };
  }
  if (HubError.is(error)) {
    const status = PROBLEM_STATUS[error.code] ?? 500;
    const detail = status < 500 ? text(error.message) : (SERVER_DETAILS[error.code] ?? 'The server has a fault.');
    return problem(status, error.code, detail);
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    if (status >= 400 && status < 600) {
      const detail = status < 500 || status === 503 ? text(error.message) : 'The server has a fault.';
      return problem(status, HTTP_CODES[status] ?? (status < 500 ? `HTTP_${status}` : 'INTERNAL'), detail);
    }
  }
  return problem(500, 'INTERNAL', 'The server has a fault.');
}

function problem(status: number, code: string, detail: string): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, detail, code, instance: `urn:uuid:${randomUUID()}` };
}

function summary(faults: readonly ProblemFault[]): string {
  const [first] = faults;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return first === undefined ? 'The request does not fit.' : `${first.path}: ${first.message}${more}`;
}
