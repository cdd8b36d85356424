import { Body, Controller, Get, HttpCode, HttpException, Inject, Post } from '@nestjs/common';
import { Experiments, HubError } from 'nestjs-experiment-hub';
import type { Features } from './weather.data.js';
import { WeatherService } from './weather.service.js';

/** HTTP statuses of the hub's errors; others are 500. */
const STATUS: Partial<Record<HubError['code'], number>> = {
  NOT_FOUND: 404,
  CONFLICT: 409,
  PAYLOAD_INVALID: 400,
  TIMEOUT: 504,
  UNAVAILABLE: 503,
};

@Controller()
export class WeatherController {
  constructor(
    @Inject(WeatherService) private readonly weather: WeatherService,
    @Inject(Experiments) private readonly experiments: Experiments,
  ) {}

  /** Champion, rolling accuracy and training in flight of every experiment. */
  @Get()
  async status(): Promise<unknown> {
    return Promise.all(this.experiments.list().map((name) => this.experiments.status(name)));
  }

  /** `[{ "precipitation": 0, "temp_max": 12.8, "temp_min": 5, "wind": 4.7 }]` → their weather. */
  @Post('predictions')
  @HttpCode(200)
  async predict(@Body() rows: unknown): Promise<unknown> {
    const name = this.experiments.list().at(-1) ?? 'weather';
    if (!Array.isArray(rows)) throw new HttpException('the body has to be an array of rows', 400);
    try {
      return await this.weather.predict(name, rows as Features[]);
    } catch (error) {
      if (!HubError.is(error)) throw error;
      throw new HttpException({ code: error.code, message: error.message }, STATUS[error.code] ?? 500);
    }
  }
}
