import type { CeleryOptions } from '../celery.options.js';

/** Where a task goes. */
export interface TaskRoute {
  /** `''`: straight into the queue that the routing key names. */
  exchange: string;
  routingKey: string;
  /** The queue that has to be there; `undefined` when the caller names an exchange of his own. */
  queue: string | undefined;
}

/** Finds where tasks go, by the configuration. */
export class TaskRoutes {
  readonly #patterns: readonly (readonly [RegExp, string])[];

  constructor(private readonly options: Pick<CeleryOptions, 'defaultQueue' | 'routes' | 'queues'>) {
    this.#patterns = Object.entries(options.routes).map(([pattern, queue]) => [globPattern(pattern), queue] as const);
  }

  /** The route of a task; one that names its queue is not looked up. */
  find(name: string, queue = this.#queueOf(name)): TaskRoute {
    const { exchange = '', routingKey = queue } = this.options.queues[queue] ?? {};
    return { exchange, routingKey, queue };
  }

  #queueOf(name: string): string {
    return this.#patterns.find(([pattern]) => pattern.test(name))?.[1] ?? this.options.defaultQueue;
  }
}

function globPattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`);
}
