import { createParamDecorator, UnsupportedMediaTypeException, type ExecutionContext } from '@nestjs/common';
import Joi, { type ObjectSchema } from 'joi';
import { findIssues } from '../../core/validate.js';
import { hasBody, type ApiRequest } from './api-request.js';
import { endpointOf } from './endpoint.js';
import { RequestFaultsError, type ProblemFault } from './problem.js';

/** What a handler gets: path parameters, query and body that fit the endpoint's schemas. @internal */
export interface EndpointInput<Params = unknown, Query = unknown, Body = unknown> {
  params: Params;
  query: Query;
  body: Body;
}

const nothing = Joi.object({});

/** The validated input of an `Endpoint`; a request that does not fit is refused with every fault. @internal */
export const Input = createParamDecorator((_data: unknown, context: ExecutionContext): EndpointInput => {
  const request = context.switchToHttp().getRequest<ApiRequest>();
  const endpoint = endpointOf(context.getHandler());
  if (endpoint === undefined) throw new Error('Input() belongs on a method with Endpoint().');
  const faults: ProblemFault[] = [];
  const params = check(endpoint.params ?? nothing, { ...(request.params as object) }, 'path', faults);
  const query = check(endpoint.query ?? nothing, { ...(request.query as object) }, 'query', faults);
  const body = check((endpoint.body ?? nothing).required(), bodyOf(request, endpoint), 'body', faults);
  if (faults.length > 0) throw new RequestFaultsError(faults);
  return { params, query, body };
});

function bodyOf(request: ApiRequest, { body, bodyOptional }: { body?: ObjectSchema; bodyOptional?: boolean }): unknown {
  if (!hasBody(request)) return body === undefined || bodyOptional === true ? {} : undefined;
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(String(request.headers['content-type'] ?? ''))) {
    throw new UnsupportedMediaTypeException('The request body has to be application/json.');
  }
  return request.body;
}

function check(schema: ObjectSchema, value: unknown, part: string, faults: ProblemFault[]): unknown {
  // Paths and queries are text; a body says its types itself.
  const strict = part === 'body' ? schema.prefs({ convert: false }) : schema;
  const { issues, value: valid } = findIssues(strict, value);
  for (const { path, message, suggestion } of issues) {
    const likely = suggestion === undefined ? '' : ` Did you mean ${JSON.stringify(suggestion)}?`;
    faults.push({ path: path === '' ? part : `${part}.${path}`, message: `${message}${likely}` });
  }
  return valid;
}
