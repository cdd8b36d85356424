import {
  Inject,
  Injectable,
  ServiceUnavailableException,
  type MessageEvent,
  type OnModuleDestroy,
} from '@nestjs/common';
import { EMPTY, Observable } from 'rxjs';
import type { TaskQueuePlugin } from '../../taskqueue/taskqueue.plugin.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { problemOf } from '../http/problem.js';
import { HubApiRedaction } from '../http/redaction.js';

/** Why a stream ended. */
type EndReason = 'finished' | 'deadline' | 'shutdown';

/**
 * Progress of tasks as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): `progress`
 * for each report, `heartbeat` so that proxies and clients see a live connection, `error` with a problem, and `end` as the
 * last one. Each stream has a deadline, and all of them end when the application closes. @internal
 */
@Injectable()
export class HubApiProgressStreams implements OnModuleDestroy {
  readonly #open = new Set<(reason: EndReason) => void>();
  #closing = false;

  constructor(
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
  ) {}

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * The events of a task until it ends. When the client leaves, what reads the task is aborted. 503 beyond `limits.streams`.
   * @param method of the request: a HEAD has no body to wait for
   */
  of(tasks: TaskQueuePlugin, taskId: string, method: string): Observable<MessageEvent> {
    if (method === 'HEAD') return EMPTY;
    const { limits } = this.options;
    if (this.#closing) throw new ServiceUnavailableException('The application is shutting down.');
    if (this.#open.size >= limits.streams) throw new ServiceUnavailableException('Too many progress streams are open.');
    return new Observable((subscriber) => {
      const abort = new AbortController();
      const end = (reason: EndReason, state: string | null = null): void => {
        subscriber.next({ type: 'end', data: { taskId, reason, state } });
        subscriber.complete();
      };
      this.#open.add(end);
      const beat = (): void => subscriber.next({ type: 'heartbeat', data: { at: Date.now() } });
      // At once: the client then knows that it is connected.
      beat();
      const heartbeat = setInterval(beat, limits.heartbeat);
      const deadline = setTimeout(() => end('deadline'), limits.stream);
      const follow = async (): Promise<void> => {
        try {
          for await (const report of tasks.progress(taskId, { signal: abort.signal })) {
            subscriber.next({ type: 'progress', data: report });
          }
          if (subscriber.closed) return;
          end('finished', (await tasks.getStatus(taskId)).state);
        } catch (error) {
          if (subscriber.closed) return;
          const problem = problemOf(error, this.redaction.text);
          if (problem.status >= 500) this.redaction.log(`progress of ${taskId} ${problem.instance}: ${String(error)}`);
          subscriber.next({ type: 'error', data: problem });
          subscriber.complete();
        }
      };
      void follow();
      return () => {
        abort.abort();
        clearInterval(heartbeat);
        clearTimeout(deadline);
        this.#open.delete(end);
      };
    });
  }

  onModuleDestroy(): void {
    this.#closing = true;
    for (const end of this.#open) end('shutdown');
  }
}
