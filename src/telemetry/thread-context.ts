import * as api from '@opentelemetry/api';
import type { JsonObject } from '../core/json.js';
import { Tracing } from './tracing.js';

const tracing = new Tracing(api, (text) => text);

/** For worker threads: calls `work` with the context of headers, where the task's module has set up an SDK. */
export function within<T>(headers: JsonObject, work: () => T): T {
  return tracing.within(headers, work);
}
