import {
  BadRequestException,
  Inject,
  Injectable,
  PayloadTooLargeException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { hasBody, type ApiRequest } from './api-request.js';
import { adapterFault } from './request-faults.js';

/** Deepest nesting of a body: what follows values recursively has this much to go down at most. */
const MAX_DEPTH = 100;

/** The last guard: who may call is known by now, so what is wrong with the request itself can be told. @internal */
@Injectable()
export class HubApiRequestGuard implements CanActivate {
  constructor(@Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const fault = adapterFault(request);
    if (fault !== undefined) throw fault;
    if (!hasBody(request)) return true;
    const { bodyBytes } = this.options.limits;
    const shape = shapeFault(request.body);
    if (shape !== undefined) throw new BadRequestException(shape);
    if (sizeOf(request) > bodyBytes)
      throw new PayloadTooLargeException(`The request body may have ${bodyBytes} bytes.`);
    return true;
  }
}

function sizeOf({ headers, body }: ApiRequest): number {
  const length = headers['content-length'];
  // Sent in chunks, it has no length; what the parser made of it has about the same.
  return length === undefined ? Buffer.byteLength(JSON.stringify(body ?? null)) : Number(length);
}

/** What is wrong with the shape of a body. Not recursive: too deep a recursion is what it protects from. */
function shapeFault(body: unknown): string | undefined {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return `The request body may be nested ${MAX_DEPTH} levels deep.`;
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      // Fastify's parser refuses it, Express's does not: what merges such an object would change its prototype.
      if (Object.hasOwn(item, '__proto__')) return 'The request body may not have a key "__proto__".';
      for (const value of Object.values(item)) next.push(value);
    }
    level = next;
  }
  return undefined;
}
