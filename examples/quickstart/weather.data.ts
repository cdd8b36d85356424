import { readFileSync } from 'node:fs';

/** What the weather is predicted from; the payload of the input queue. */
export interface Features {
  /** mm */
  precipitation: number;
  /** °C */
  temp_max: number;
  /** °C */
  temp_min: number;
  wind: number;
}

/** One day of the data. */
export interface Day {
  /** `YYYY-MM-DD` */
  date: string;
  features: Features;
  weather: string;
}

/** The labels, in the order of the numbers that the model knows them by. */
export const LABELS = ['drizzle', 'fog', 'rain', 'snow', 'sun'];

/** All days, the oldest first. */
export function loadDays(): Day[] {
  const text = readFileSync(new URL('./data/seattle-weather.csv', import.meta.url), 'utf8');
  // This file holds no quotes and no commas inside fields; for any other, take a CSV library.
  const [, ...lines] = text.trim().split('\n');
  return lines.map((line) => {
    const [date = '', precipitation, temp_max, temp_min, wind, weather = ''] = line.trim().split(',');
    return {
      date,
      weather,
      features: {
        precipitation: Number(precipitation),
        temp_max: Number(temp_max),
        temp_min: Number(temp_min),
        wind: Number(wind),
      },
    };
  });
}

/** The start of a day in UTC, ms since 1970. */
export function timeOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}
