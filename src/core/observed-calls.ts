import { PLUGIN_METRICS, type PluginLabels } from './plugin.metrics.js';
import { failureLabel, secondsSince, type ActiveSpan, type SpanStart, type Telemetry } from './telemetry.js';

/** What is put around single methods of an object: it gets the method and the arguments of a call. */
export type Around<Target> = {
  [Name in keyof Target]?: Target[Name] extends (...args: infer Args) => infer Result
    ? (next: (...args: Args) => Result, ...args: Args) => Result
    : never;
};

type Method = (...args: unknown[]) => unknown;
type Advice = (next: Method, ...args: unknown[]) => unknown;

/**
 * Puts something around methods of one object, for all who call them. It costs nothing where it is not called, keeps the
 * object's identity and private fields, and works for whatever driver.
 */
export function putAround<Target extends object>(target: Target, around: Around<Target>): void {
  for (const [name, advice] of Object.entries(around as Record<string, Advice>)) {
    const method: unknown = Reflect.get(target, name);
    // A plugin made with an older copy of the package may lack it.
    if (typeof method !== 'function') continue;
    const next = (method as Method).bind(target);
    Object.defineProperty(target, name, {
      value: (...args: unknown[]) => advice(next, ...args),
      configurable: true,
      writable: true,
    });
  }
}

/** Tells of the calls of one plugin: how many are under way, how long they took, how they ended, and their spans. */
export class ObservedCalls {
  constructor(
    readonly telemetry: Telemetry,
    readonly labels: PluginLabels,
  ) {}

  /**
   * One call.
   * @param start its span; default: of kind client, and only within another one
   */
  async call<T>(
    operation: string,
    work: (span: ActiveSpan) => Promise<T> | T,
    start: SpanStart = this.#plain(operation),
  ): Promise<T> {
    const { telemetry, labels } = this;
    const began = performance.now();
    let outcome = 'ok';
    telemetry.report(PLUGIN_METRICS.inFlight, 1, labels);
    try {
      return await telemetry.span(start, work);
    } catch (error) {
      outcome = failureLabel(error);
      throw error;
    } finally {
      telemetry.report(PLUGIN_METRICS.inFlight, -1, labels);
      telemetry.report(PLUGIN_METRICS.operation, secondsSince(began), { ...labels, operation, outcome });
    }
  }

  /** One call that gives an async iterator: the time that its steps took together, once it has ended. */
  async *steps<T>(operation: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    const { telemetry, labels } = this;
    let seconds = 0;
    let outcome = 'ok';
    const iterator = items[Symbol.asyncIterator]();
    try {
      for (;;) {
        const began = performance.now();
        const step = await iterator.next().finally(() => (seconds += secondsSince(began)));
        if (step.done === true) return;
        yield step.value;
      }
    } catch (error) {
      outcome = failureLabel(error);
      throw error;
    } finally {
      telemetry.report(PLUGIN_METRICS.operation, seconds, { ...labels, operation, outcome });
      // Whoever breaks off a loop lets the driver free what it holds.
      await iterator.return?.();
    }
  }

  /** Has the calls of methods go through {@link call}, of which nothing more is told. */
  putAround<Target extends object>(target: Target, methods: readonly (keyof Target & string)[]): void {
    this.#putEach(
      target,
      methods,
      (name) =>
        (next, ...args) =>
          this.call(name, () => next(...args)),
    );
  }

  /** Has what methods give, async iterators, go through {@link steps}. */
  putAroundSteps<Target extends object>(target: Target, methods: readonly (keyof Target & string)[]): void {
    this.#putEach(
      target,
      methods,
      (name) =>
        (next, ...args) =>
          this.steps(name, next(...args) as AsyncIterable<unknown>),
    );
  }

  #putEach(target: object, methods: readonly string[], advice: (name: string) => Advice): void {
    putAround(target, Object.fromEntries(methods.map((name) => [name, advice(name)])) as Around<object>);
  }

  #plain(operation: string): SpanStart {
    const { type, driver } = this.labels;
    const attributes = { 'experiment_hub.plugin.type': type, 'experiment_hub.plugin.driver': driver };
    return { name: `${type} ${operation}`, kind: 'client', attributes, childOnly: true };
  }
}
