import {
  ForbiddenException,
  Inject,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { rawRequest, type ApiRequest } from '../http/api-request.js';
import { BearerTokens } from './credentials.js';
import { refusalOf } from './loopback.js';

/** The first guard of every path of the API, known or not. The application's own guards come after it. @internal */
@Injectable()
export class HubApiAccessGuard implements CanActivate {
  readonly #tokens: BearerTokens | undefined;

  constructor(
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {
    const { auth } = options;
    if (typeof auth === 'object' && 'bearerTokens' in auth) this.#tokens = new BearerTokens(auth.bearerTokens);
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const response = context.switchToHttp().getResponse<object>();
    const { httpAdapter } = this.host;
    // Set here, before anything can fail, so that errors and streams have them as well.
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    httpAdapter.setHeader(response, 'X-Content-Type-Options', 'nosniff');
    if (this.#tokens !== undefined && !this.#tokens.accept(request.headers['authorization'])) {
      throw new UnauthorizedException('A valid bearer token is needed.');
    }
    if (this.options.auth === 'none') {
      const { method, headers, socket } = rawRequest(request);
      const refusal = refusalOf({ method: method ?? '', headers, peer: socket.remoteAddress });
      if (refusal !== undefined) throw new ForbiddenException(refusal);
    }
    return true;
  }
}
