import type { IncomingMessage, Server } from 'node:http';
import {
  BadRequestException,
  HttpException,
  PayloadTooLargeException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { ApiRequest } from './api-request.js';
import { rawRequest } from './api-request.js';

const faults = new WeakMap<IncomingMessage, HttpException>();

/** What the adapter found wrong with a request before its route ran, or `undefined`. @internal */
export function adapterFault(request: ApiRequest): HttpException | undefined {
  return faults.get(rawRequest(request));
}

type Next = (error?: unknown) => void;

interface FastifyRoute {
  url: string;
  handler: (request: ApiRequest, reply: unknown) => unknown;
  errorHandler?: (error: unknown, request: ApiRequest, reply: unknown) => unknown;
}

/**
 * Express and Fastify read the body before any guard runs, and answer a bad one themselves: in their own format, and
 * before anybody asked who is calling. Below `base` the fault is kept for {@link adapterFault} instead, and the route
 * runs: its guards first, then its input is refused. Has to be called between body parser and routes, which is when Nest
 * configures the middleware of modules.
 * @param base path of the API with the application's prefix, e.g. `/api`
 * @internal
 */
export function keepRequestFaults({ httpAdapter }: HttpAdapterHost, base: string): void {
  const type = httpAdapter.getType();
  const below = (url: string): boolean => {
    const path = (url.split('?', 1)[0] ?? '').toLowerCase();
    return path === base.toLowerCase() || path.startsWith(`${base.toLowerCase()}/`);
  };
  // A URL that cannot be decoded has no route, so it becomes one that the API refuses.
  const server = httpAdapter.getHttpServer() as Server | undefined;
  server?.prependListener('request', (request: IncomingMessage) => {
    if (!below(request.url ?? '') || isDecodable(request.url ?? '')) return;
    faults.set(request, new BadRequestException('The URL is not well encoded.'));
    request.url = `${base}/-`;
  });
  if (type === 'express') {
    httpAdapter.use((error: unknown, request: ApiRequest, _response: unknown, next: Next) => {
      if (!below(request.originalUrl ?? request.url)) return next(error);
      faults.set(rawRequest(request), faultOf(error));
      request.body = undefined;
      next();
    });
  } else if (type === 'fastify') {
    const fastify = httpAdapter.getInstance<{ addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): void }>();
    const unknown: { handler?: FastifyRoute['handler'] } = {};
    fastify.addHook('onRoute', (route) => {
      if (!below(route.url)) return;
      if (route.url === `${base}/*`) unknown.handler = route.handler;
      keepFastifyFaults(route, unknown);
    });
  }
}

/** @param unknown what handles paths that are none of the API, once it is registered */
function keepFastifyFaults(route: FastifyRoute, unknown: { handler?: FastifyRoute['handler'] }): void {
  const { handler } = route;
  const started = new WeakSet<IncomingMessage>();
  route.handler = function handle(this: unknown, request, reply) {
    started.add(rawRequest(request));
    // `/experiments/` has an empty name for Fastify, and would leave the API for the application's own 404.
    const isEmpty = Object.entries((request.params ?? {}) as object).some(
      ([name, value]) => name !== '*' && value === '',
    );
    const taker = isEmpty ? (unknown.handler ?? handler) : handler;
    return taker.call(this, request, reply);
  };
  route.errorHandler = function keep(this: unknown, error, request, reply) {
    // What the route itself failed with is not a fault of the request.
    if (started.has(rawRequest(request))) throw error;
    const empty = (error as { code?: unknown }).code === 'FST_ERR_CTP_EMPTY_JSON_BODY';
    if (!empty) faults.set(rawRequest(request), faultOf(error));
    request.body = undefined;
    return route.handler.call(this as FastifyRoute, request, reply);
  };
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '');
    return true;
  } catch {
    return false;
  }
}

/** Words of our own: the parsers' quote the body. */
function faultOf(error: unknown): HttpException {
  const { status, statusCode } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const code = error instanceof HttpException ? error.getStatus() : (status ?? statusCode);
  if (code === 413) return new PayloadTooLargeException('The request body is too large.');
  if (code === 415) return new UnsupportedMediaTypeException('The request body has to be application/json in UTF-8.');
  return new BadRequestException('The request body cannot be read as JSON.');
}
