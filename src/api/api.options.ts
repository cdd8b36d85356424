import Joi from 'joi';
import type { CanActivate, DynamicModule, ForwardReference, Type } from '@nestjs/common';
import { HubError } from '../core/errors.js';
import { validateOptions } from '../core/validate.js';

/** Names that the API may use: a list, all (`any`), or none (`none`). */
export type HubApiNames = readonly string[] | 'any' | 'none';

/** OpenAPI security scheme, see https://spec.openapis.org/oas/v3.0.3.html#security-scheme-object */
export interface HubApiSecurityScheme {
  type: 'http' | 'apiKey' | 'oauth2' | 'openIdConnect';
  [key: string]: unknown;
}

/** Guards of the application, as `@UseGuards()` takes classes; what they inject comes from `imports` or global modules. */
export interface HubApiGuards {
  guards: readonly Type<CanActivate>[];
  /** How the OpenAPI document describes them. Default: HTTP bearer. */
  securityScheme?: HubApiSecurityScheme;
}

/** Who may call the API. */
export type HubApiAuth =
  /** By the application's own guards. */
  | HubApiGuards
  /** By one of these tokens in `Authorization: Bearer …` (RFC 6750), at least 16 characters each. */
  | { bearerTokens: readonly string[] }
  /** Anybody on this machine: loopback peers that name a loopback host, and no page of another origin. */
  | 'none';

/** Which queues the API may use. Default of each: none. */
export interface HubApiQueues {
  /** Info and dead letters can be read. */
  read?: HubApiNames;
  /** Messages can be sent. */
  send?: HubApiNames;
  /** Ready messages can be flushed, dead letters redriven and purged. */
  manage?: HubApiNames;
}

/** Bounds of what one request may ask for. */
export interface HubApiLimits {
  /**
   * Largest request body in bytes, otherwise 413. Default 1 048 576 (1 MiB). The application's own body parser has a
   * limit, too, and the smaller one holds: 100 kB on Express (`app.useBodyParser('json', { limit: '1mb' })` raises it),
   * 1 MiB on Fastify.
   */
  bodyBytes?: number;
  /** Most items of a page, at most 1000; a larger `limit` gets as many. Default 1000. */
  pageSize?: number;
  /** Longest wait for a task's result in ms, at most 60 000; a larger `wait` waits as long. Default 30 000. */
  wait?: number;
  /** Longest progress stream in ms; then it ends with reason `deadline`. Default 3 600 000 (an hour). */
  stream?: number;
  /** Time between two heartbeats of a progress stream, in ms. Default 15 000. */
  heartbeat?: number;
  /** Most progress streams at once; one more is 503. Default 100. */
  streams?: number;
}

/** What can come from providers in `ExperimentHubApiModule.forRootAsync`. */
export interface HubApiOptions {
  /** Has to be given; without it the application does not start (`CONFIG_INVALID`). */
  auth: HubApiAuth;
  /**
   * Tasks that can be submitted by name, and followed and cancelled by id. The tasks of the experiments can be followed and
   * cancelled in any case. Default `none`.
   */
  tasks?: HubApiNames;
  queues?: HubApiQueues;
  limits?: HubApiLimits;
}

/** What changes the module's shape, and so cannot come from a factory. */
export interface HubApiExtras {
  /** Path of the API, below the application's global prefix. Default `api`. */
  path?: string;
  /** Modules that export what the guards (and the factory) inject. */
  imports?: (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[];
}

/** Options with defaults filled in. @internal */
export interface ResolvedHubApiOptions {
  auth: HubApiAuth;
  tasks: HubApiNames;
  queues: Required<HubApiQueues>;
  limits: Required<HubApiLimits>;
}

/** Injects the {@link ResolvedHubApiOptions}. @internal */
export const HUB_API_OPTIONS = Symbol.for('nestjs-experiment-hub.HUB_API_OPTIONS');

/** Most items of a page. @internal */
export const MAX_PAGE_SIZE = 1_000;
/** Longest wait for a result in ms. @internal */
export const MAX_WAIT_MS = 60_000;
/** Fewest characters of a bearer token. */
const MIN_TOKEN_LENGTH = 16;

const names = Joi.alternatives(Joi.array().items(Joi.string()), Joi.string().valid('any', 'none')).default('none');
const positive = Joi.number().integer().min(1);

const AUTH_WAYS = `Give it guards: [MyGuard], or bearerTokens of at least ${MIN_TOKEN_LENGTH} printable characters each, or say 'none'`;

/** Where a secret stands, its value is never quoted: validateOptions says paths and expectations only. */
const authSchema = Joi.alternatives()
  .try(
    Joi.string().valid('none'),
    Joi.object({
      bearerTokens: Joi.array()
        .items(
          Joi.string()
            .min(MIN_TOKEN_LENGTH)
            .pattern(/^[\x21-\x7e]+$/, 'printable ASCII without spaces'),
        )
        .min(1)
        .required()
        .meta({ secret: true }),
    }),
    Joi.object({
      guards: Joi.array().items(Joi.function()).min(1).required(),
      securityScheme: Joi.object({ type: Joi.string().required() }).unknown(true),
    }),
  )
  .required()
  .messages({
    // Joi's templates begin with a brace, so the ways to write it are told in words.
    'any.required': `is missing, and the API is closed by default. ${AUTH_WAYS}`,
    'alternatives.types': AUTH_WAYS,
    'alternatives.match': AUTH_WAYS,
    'any.only': AUTH_WAYS,
  });

const optionsSchema = Joi.object({
  auth: authSchema,
  tasks: names,
  queues: Joi.object({ read: names, send: names, manage: names }).default({
    read: 'none',
    send: 'none',
    manage: 'none',
  }),
  limits: Joi.object({
    bodyBytes: positive.default(1_048_576),
    pageSize: positive.max(MAX_PAGE_SIZE).default(MAX_PAGE_SIZE),
    wait: positive.max(MAX_WAIT_MS).default(30_000),
    stream: positive.default(3_600_000),
    heartbeat: positive.default(15_000),
    streams: positive.default(100),
  }).default({
    bodyBytes: 1_048_576,
    pageSize: MAX_PAGE_SIZE,
    wait: 30_000,
    stream: 3_600_000,
    heartbeat: 15_000,
    streams: 100,
  }),
}).required();

/** Checks the options and fills in the defaults. `CONFIG_INVALID` with every fault. @internal */
export function resolveHubApiOptions(options: unknown): ResolvedHubApiOptions {
  return validateOptions<ResolvedHubApiOptions>(optionsSchema, options, { what: 'api' });
}

/** The path without slashes at its ends. `CONFIG_INVALID` for one that is empty or holds more than plain segments. @internal */
export function resolveHubApiPath(path: unknown = 'api'): string {
  const plain = typeof path === 'string' ? path.replaceAll(/^\/+|\/+$/g, '') : '';
  // A segment of dots alone would mean another place.
  if (plain.split('/').every((segment) => /^(?!\.+$)[A-Za-z0-9_.~-]+$/.test(segment))) return plain;
  throw new HubError(
    'CONFIG_INVALID',
    `api.path has to be one or more plain path segments, such as "api" or "hub/api", not ${JSON.stringify(path)}.`,
  );
}

/** Whether `name` is among `allowed`. @internal */
export function isAllowed(allowed: HubApiNames, name: string): boolean {
  return allowed === 'any' || (allowed !== 'none' && allowed.includes(name));
}
