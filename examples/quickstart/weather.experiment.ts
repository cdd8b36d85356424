import type { ExperimentDefinition } from 'nestjs-experiment-hub';

const DAY_MS = 86_400_000;

/** The experiment of this example. The same object can stand under `experiments` in hub_config.yaml. */
export function weatherExperiment(name: string): ExperimentDefinition {
  return {
    name,
    tasks: { train: 'weather.train', predict: 'weather.predict', evaluate: 'weather.evaluate' },
    params: { trees: 50, seed: 42, trainDays: 366, holdoutDays: 60 },
    streams: { input: `${name}.days`, output: `${name}.predictions` },
    metric: 'accuracy',
    // Judged by the latest 45 days; a failed or refused retrain is not tried again for 60 days of the data's own time.
    policy: { threshold: 0.75, window: 45, cooldown: 60 * DAY_MS, maxRetrains: { count: 4, per: 366 * DAY_MS } },
  };
}
