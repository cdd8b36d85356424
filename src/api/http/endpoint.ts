import { applyDecorators, Delete, Get, HttpCode, Post, SetMetadata, Sse } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse } from '@nestjs/swagger';
import type { ObjectSchema, Schema } from 'joi';
import { openApiSchema, type OpenApiSchema } from '../openapi/openapi-schema.js';
import { problemSchema } from './problem.js';

/** One successful answer of an endpoint. */
export interface EndpointAnswer {
  description: string;
  /** Schema of the JSON body, or of one server-sent event; without one the body is bytes. */
  schema?: Schema;
  /** Default `application/json`. */
  media?: 'application/json' | 'application/octet-stream' | 'text/event-stream';
  /** Response headers by name, with their meaning. */
  headers?: Record<string, string>;
}

/** Everything about one endpoint: requests are validated by it and the OpenAPI document is made from it. @internal */
export interface EndpointOptions {
  method: 'GET' | 'POST' | 'DELETE' | 'SSE';
  path?: string;
  /** OpenAPI operationId. */
  id: string;
  summary: string;
  description?: string;
  params?: ObjectSchema;
  query?: ObjectSchema;
  /** Of the JSON body; without one, a body is refused. */
  body?: ObjectSchema;
  /** Whether the body can be left out, which is `{}`. */
  bodyOptional?: boolean;
  /** By status; the first one is what the handler answers with by default. */
  answers: Record<number, EndpointAnswer>;
  /** Statuses of the problems that it is likely to answer with, beside those of every endpoint. */
  problems?: readonly number[];
}

const ENDPOINT = Symbol('hub api endpoint');

/** The options of a controller's method that is an endpoint. @internal */
export function endpointOf(handler: unknown): EndpointOptions | undefined {
  return typeof handler === 'function'
    ? (Reflect.getMetadata(ENDPOINT, handler) as EndpointOptions | undefined)
    : undefined;
}

/** Makes a method an endpoint: its route, the validation of its input, and its part of the OpenAPI document. @internal */
export function Endpoint(options: EndpointOptions): MethodDecorator {
  const { method, path = '', id, summary, description, params, query, body } = options;
  const route = { GET: Get, POST: Post, DELETE: Delete, SSE: Sse }[method](path);
  const [status = 200] = Object.keys(options.answers).map(Number);
  return applyDecorators(
    SetMetadata(ENDPOINT, options),
    route,
    HttpCode(status),
    ApiOperation({ operationId: id, summary, ...(description === undefined ? {} : { description }) }),
    ...properties(params).map(([name, schema]) => ApiParam({ name, ...parameter(schema) })),
    ...properties(query).map(([name, schema, required]) => ApiQuery({ name, required, ...parameter(schema) })),
    ...(body === undefined ? [] : [ApiBody({ required: options.bodyOptional !== true, schema: openApiSchema(body) })]),
    ...Object.entries(options.answers).map(([code, answer]) =>
      ApiResponse({ status: Number(code), ...response(answer) }),
    ),
    ...problemStatuses(options).map((code) => ApiResponse({ status: code, ...PROBLEM_RESPONSE })),
  );
}

const PROBLEM_RESPONSE = {
  description: 'A problem.',
  content: { 'application/problem+json': { schema: openApiSchema(problemSchema) } },
};

function problemStatuses({ params, body, problems = [] }: EndpointOptions): (number | 'default')[] {
  const statuses = new Set([400, 401, 403, 500, 503, ...problems]);
  if (params !== undefined) statuses.add(404);
  if (body !== undefined) [413, 415, 422].forEach((status) => statuses.add(status));
  return [...[...statuses].sort((a, b) => a - b), 'default'];
}

function properties(schema: ObjectSchema | undefined): [name: string, schema: OpenApiSchema, required: boolean][] {
  if (schema === undefined) return [];
  const { properties: all = {}, required = [] } = openApiSchema(schema);
  return Object.entries(all).map(([name, value]) => [name, value, required.includes(name)]);
}

function parameter({ description, ...schema }: OpenApiSchema): { schema: OpenApiSchema; description?: string } {
  return { schema, ...(description === undefined ? {} : { description }) };
}

function response({ description, schema, media = 'application/json', headers = {} }: EndpointAnswer) {
  const named = Object.entries(headers).map(
    ([name, meaning]) => [name, { description: meaning, schema: { type: 'string' as const } }] as const,
  );
  const content: OpenApiSchema =
    schema === undefined ? { type: 'string', format: 'binary' } : openApiSchema(schema, 'output');
  return {
    description,
    content: { [media]: { schema: content } },
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
  };
}
