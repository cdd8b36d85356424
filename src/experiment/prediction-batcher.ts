import { HubError } from '../core/errors.js';
import type { JsonObject, JsonValue } from '../core/json.js';
import type { ModelInfo, Prediction } from './experiment.types.js';

interface Waiting {
  row: JsonValue;
  context: JsonObject | undefined;
  resolve(prediction: { model: ModelInfo; prediction: JsonValue }): void;
  reject(error: unknown): void;
}

/**
 * Collects rows that arrive one by one into batches, so that one task predicts many. Each row keeps an outcome of its
 * own, which a subscription to batches could not give it: a bad row fails alone.
 */
export class PredictionBatcher {
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param size most rows of a batch
   * @param maxWait how long the first row waits for others, in ms
   */
  constructor(
    private readonly predict: (rows: JsonValue[], contexts: JsonObject[]) => Promise<Prediction>,
    private readonly size: number,
    private readonly maxWait: number,
  ) {}

  /**
   * The prediction of one row. Rejects with what its batch failed with, or `PAYLOAD_INVALID` when the row is bad.
   * @param context headers with its trace context
   */
  add(row: JsonValue, context?: JsonObject): Promise<{ model: ModelInfo; prediction: JsonValue }> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, context, resolve, reject });
      if (this.#waiting.length >= this.size) this.#send();
      else this.#timer ??= setTimeout(() => this.#send(), this.maxWait);
    });
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    this.predict(
      batch.map(({ row }) => row),
      batch.flatMap(({ context }) => (context === undefined ? [] : [context])),
    ).then(
      ({ model, predictions, errors }) => {
        batch.forEach(({ resolve, reject }, index) => {
          const why = errors[String(index)];
          if (why === undefined) resolve({ model, prediction: predictions[index] ?? null });
          else reject(new HubError('PAYLOAD_INVALID', `the row cannot be predicted: ${why}`));
        });
      },
      (error: unknown) => batch.forEach(({ reject }) => reject(error)),
    );
  }
}
