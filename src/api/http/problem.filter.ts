import { Catch, Inject, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { errorMessage } from '../../core/errors.js';
import { redactError } from '../../core/redact.js';
import type { ApiRequest } from './api-request.js';
import { pathOf } from './api-request.js';
import { problemOf } from './problem.js';
import { HubApiRedaction } from './redaction.js';

/** Answers every error of the API's controllers as `application/problem+json`. @internal */
@Injectable()
@Catch()
export class HubApiProblemFilter implements ExceptionFilter {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.host;
    const request = host.switchToHttp().getRequest<ApiRequest>();
    const response = host.switchToHttp().getResponse<object>();
    const problem = problemOf(error, this.redaction.text);
    if (problem.status >= 500) {
      const stack = redactError(error);
      const reason = stack instanceof Error && problem.code === 'INTERNAL' ? String(stack.stack) : errorMessage(error);
      this.redaction.log(
        `${request.method} ${pathOf(request)} answered ${problem.status} ${problem.instance}: ${reason}`,
      );
    }
    if (httpAdapter.isHeadersSent(response)) return;
    if (problem.status === 401 && httpAdapter.getHeader?.(response, 'WWW-Authenticate') === undefined) {
      // RFC 9110, section 15.5.2: a 401 has to name a scheme.
      httpAdapter.setHeader(response, 'WWW-Authenticate', 'Bearer');
    }
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    httpAdapter.setHeader(response, 'X-Content-Type-Options', 'nosniff');
    httpAdapter.setHeader(response, 'Content-Type', 'application/problem+json; charset=utf-8');
    // As text: of an object, Express in Nest 11 takes any other type than application/json back.
    httpAdapter.reply(response, JSON.stringify(problem), problem.status);
  }
}
