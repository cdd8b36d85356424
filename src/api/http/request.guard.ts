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
    if (sizeOf(request) > bodyBytes)
      throw new PayloadTooLargeException(`The request body may have ${bodyBytes} bytes.`);
    if (isDeeper(request.body, MAX_DEPTH)) {
      throw new BadRequestException(`The request body may be nested ${MAX_DEPTH} levels deep.`);
    }
    return true;
  }
}

function sizeOf({ headers, body }: ApiRequest): number {
  const length = headers['content-length'];
  // Sent in chunks, it has no length; what the parser made of it has about the same.
  if (length === undefined) return isDeeper(body, MAX_DEPTH) ? 0 : Buffer.byteLength(JSON.stringify(body ?? null));
  return Number(length);
}

/** Not recursive: that is what it protects from. */
function isDeeper(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item as object) : []));
  }
  return false;
}
