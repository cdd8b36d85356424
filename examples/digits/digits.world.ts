import { Inject, Injectable } from '@nestjs/common';
import { TaskQueuePlugin, type JsonObject, type JsonValue } from 'nestjs-experiment-hub';

/** Rows of pictures with what they show, the oldest first. */
export interface World extends JsonObject {
  /** 64 pixels each. */
  rows: number[][];
  labels: number[];
  /** When each happened, ms since 1970. */
  times: number[];
  /** How many there are in all. */
  total: number;
}

/** Longest wait for the worker, in ms. */
const PATIENCE = 60_000;

/** Plays the world in which the application lives: the data is the worker's, who gives it in parts. */
@Injectable()
export class DigitsWorld {
  // @Inject only because tsx, which runs the examples, emits no decorator metadata; with nest build it is not needed.
  constructor(@Inject(TaskQueuePlugin) private readonly tasks: TaskQueuePlugin) {}

  /** Rows from `start` on, before `stop`, of what the experiment's `data` describes. */
  async rows(data: JsonValue, start: number, stop: number): Promise<World> {
    const id = await this.tasks.submitTask('sklearn.rows', { kwargs: { data, start, stop }, expires: PATIENCE });
    return (await this.tasks.getResult(id, { timeout: PATIENCE })) as World;
  }
}
