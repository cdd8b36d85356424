import { Body, Controller, Get, HttpCode, HttpException, Inject, Post } from '@nestjs/common';
import { Experiments, HubError, type JsonValue } from 'nestjs-experiment-hub';

/** The application's own routes, on the experiment `digits`. */
@Controller('digits')
export class DigitsController {
  // @Inject only because tsx, which runs the examples, emits no decorator metadata; with nest build it is not needed.
  constructor(@Inject(Experiments) private readonly experiments: Experiments) {}

  /** Champion, training in flight, rolling accuracy. */
  @Get()
  async status() {
    return answer(this.experiments.status('digits'));
  }

  /** `[[64 numbers], …]` → what they show. 409 before the first training has ended. */
  @Post('predict')
  @HttpCode(200)
  async predict(@Body() rows: JsonValue) {
    if (!Array.isArray(rows)) throw new HttpException('the body has to be an array of rows', 400);
    return answer(this.experiments.predict('digits', rows));
  }

  /** Begins a training on all pictures; 409 while there is one. */
  @Post('train')
  @HttpCode(202)
  async train() {
    const { runId, taskId } = await answer(this.experiments.train('digits'));
    return { runId, taskId };
  }

  /** Makes the previous model the champion again; 409 when there is none. */
  @Post('rollback')
  @HttpCode(200)
  async rollback() {
    return answer(this.experiments.rollback('digits'));
  }
}

const STATUS: Record<string, number> = { CONFLICT: 409, INVALID_ARGUMENT: 400, PAYLOAD_INVALID: 400, TASK_FAILED: 502 };

async function answer<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (!HubError.is(error)) throw error;
    throw new HttpException({ code: error.code, message: error.message }, STATUS[error.code] ?? 503);
  });
}
