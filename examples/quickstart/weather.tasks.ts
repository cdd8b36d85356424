// Runs in worker threads: training takes a second of pure computing and would block the event loop.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RandomForestClassifier } from 'ml-random-forest';
import { defineTasks, type TaskContext } from 'nestjs-experiment-hub';
import type { EvaluateKwargs, ModelReference, PredictKwargs, TrainKwargs, TrainResult } from 'nestjs-experiment-hub';
import { LABELS, loadDays, timeOf, type Day, type Features } from './weather.data.js';

const DAYS = loadDays();
/** The models that this thread has loaded, by folder. The files of a version never change. */
const loaded = new Map<string, RandomForestClassifier>();

export default defineTasks({
  'weather.train': train,
  'weather.predict': predict,
  'weather.evaluate': evaluate,
});

/** Trains on the `trainDays` before the holdout, scores on the holdout, and leaves the model in `outputDir`. */
async function train({ kwargs, progress }: TaskContext): Promise<TrainResult> {
  const { params, trigger, outputDir } = kwargs as TrainKwargs;
  const { days, holdout } = windows(params, trigger.at);
  let accuracy = 0;
  let forest = fit(days, 0, Number(params['seed']));
  for (const trees of [10, Number(params['trees'])]) {
    forest = fit(days, trees, Number(params['seed']));
    accuracy = score(forest, holdout);
    await progress({ step: trees, metrics: { accuracy } });
  }
  // The very first model has nobody to be compared with, so it may learn from its holdout in the end.
  const used = params['refit'] === true ? [...days, ...holdout] : days;
  if (params['refit'] === true) forest = fit(used, Number(params['trees']), Number(params['seed']));
  writeFileSync(join(outputDir, 'model.json'), JSON.stringify(forest.toJSON()));
  return {
    model: { path: 'model.json' },
    metrics: { accuracy },
    params: { trained_from: used[0]?.date ?? '', trained_until: used.at(-1)?.date ?? '', rows: used.length },
  };
}

/** The weather of each row. A row without the four numbers is an error of its own. */
function predict({ kwargs }: TaskContext): { predictions: string[]; errors: Record<string, string> } {
  const { model, rows } = kwargs as PredictKwargs;
  const features = rows.map((row) => vector(row as unknown as Features));
  const errors = Object.fromEntries(
    features.flatMap((row, index) => (row.every(Number.isFinite) ? [] : [[String(index), 'it lacks a number']])),
  );
  const clean = features.map((row) => row.map((value) => (Number.isFinite(value) ? value : 0)));
  return {
    predictions: forestOf(model)
      .predict(clean)
      .map((label) => LABELS[label] ?? ''),
    errors,
  };
}

/** The accuracy of each model on the days just before the trigger, which the new one was not trained on. */
function evaluate({ kwargs }: TaskContext): { scores: number[] } {
  const { params, trigger, models } = kwargs as EvaluateKwargs;
  const { holdout } = windows(params, trigger.at);
  return { scores: models.map((model) => score(forestOf(model), holdout)) };
}

function windows(params: TrainKwargs['params'], at: number): { days: Day[]; holdout: Day[] } {
  const known = DAYS.filter(({ date }) => timeOf(date) <= at);
  const start = known.length - Number(params['holdoutDays']);
  return { days: known.slice(Math.max(0, start - Number(params['trainDays'])), start), holdout: known.slice(start) };
}

function fit(days: readonly Day[], trees: number, seed: number): RandomForestClassifier {
  const forest = new RandomForestClassifier({
    nEstimators: trees,
    seed,
    maxFeatures: 1.0,
    replacement: true,
    useSampleBagging: true,
    noOOB: true,
  });
  if (trees > 0)
    forest.train(
      days.map(({ features }) => vector(features)),
      days.map(({ weather }) => LABELS.indexOf(weather)),
    );
  return forest;
}

function score(forest: RandomForestClassifier, days: readonly Day[]): number {
  const predicted = forest.predict(days.map(({ features }) => vector(features)));
  return days.filter(({ weather }, index) => LABELS[predicted[index] ?? -1] === weather).length / days.length;
}

function forestOf({ path }: ModelReference): RandomForestClassifier {
  const folder = path ?? '';
  let forest = loaded.get(folder);
  if (forest === undefined) {
    const json = readFileSync(join(folder, 'model.json'), 'utf8');
    forest = RandomForestClassifier.load(JSON.parse(json) as Parameters<typeof RandomForestClassifier.load>[0]);
    loaded.set(folder, forest);
  }
  return forest;
}

function vector({ precipitation, temp_max, temp_min, wind }: Features): number[] {
  return [precipitation, temp_max, temp_min, wind];
}
