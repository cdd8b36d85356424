import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  DataStreamPlugin,
  Experiments,
  MLOpsPlugin,
  TaskQueuePlugin,
  type PredictionMessage,
  type TrainingOutcome,
} from 'nestjs-experiment-hub';
import { loadDays, timeOf, type Day, type Features } from './weather.data.js';
import { weatherExperiment } from './weather.experiment.js';

/** A version of the model, for the table. */
export interface VersionRow {
  version: string;
  trainedUntil: string;
  accuracy: number;
  promoted: boolean;
}

/** Figures of a replay. */
export interface Replay {
  experiment: string;
  rowsIn: number;
  rowsOut: number;
  lost: number;
  versions: VersionRow[];
  accuracyFrozen: number;
  accuracyRetrained: number;
}

/** The first model knows the days until here. */
const FIRST_DAY_UNSEEN = '2013-01-01';
/** Longest wait for the predictions of a week, in ms. */
const PATIENCE = 30_000;

/** Trains on 2012 and then lives through the following days, a week at a time. */
@Injectable()
export class WeatherService implements OnModuleInit {
  readonly #days = loadDays();
  readonly #logger = new Logger(WeatherService.name);

  // @Inject only because tsx, which runs the examples, emits no decorator metadata; with nest build it is not needed.
  constructor(
    @Inject(Experiments) private readonly experiments: Experiments,
    @Inject(MLOpsPlugin) private readonly mlops: MLOpsPlugin,
    @Inject(DataStreamPlugin) private readonly stream: DataStreamPlugin,
    @Inject(TaskQueuePlugin) private readonly tasks: TaskQueuePlugin,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.tasks.supports.inProcess) {
      await this.tasks.registerTasks(new URL('./weather.tasks.js', import.meta.url));
    } else if ((await this.tasks.ping()) === 0) {
      // The tasks of the same names are in examples/python-worker, and registered there.
      this.#logger.warn('no worker answers: trainings and predictions wait until one is started');
    }
  }

  /** The experiments of earlier replays in this store, the latest last. */
  async earlier(): Promise<string[]> {
    const names: string[] = [];
    for (let name = 'weather'; (await this.mlops.getExperimentByName(name)) !== null;) {
      names.push(name);
      name = `weather-${names.length + 1}`;
    }
    return names;
  }

  /** Trains the first model, on 2012 alone. */
  async trainFirst(experiment: string): Promise<TrainingOutcome> {
    const training = await this.experiments.train(experiment, { params: { refit: true }, at: timeOf('2012-12-31') });
    return training.done;
  }

  /** Lives through 2013 to 2015 in a new experiment of its own, so that a second replay gives the same figures. */
  async replay(say: (line: string) => void): Promise<Replay> {
    const count = (await this.earlier()).length;
    const experiment = count === 0 ? 'weather' : `weather-${count + 1}`;
    this.experiments.define(weatherExperiment(experiment));
    await this.experiments.startConsumers();

    say(`experiment ${experiment}: training on 2012 ...`);
    const outcome = await this.trainFirst(experiment);
    if (outcome.status !== 'FINISHED') throw new Error(`the first training ended ${outcome.status}: ${outcome.error}`);
    const first = await this.versionRow(outcome);
    say(`version ${first.version} is the champion: ${first.accuracy.toFixed(3)} on its last 60 days`);

    const versions = [first];
    const unseen = this.#days.filter(({ date }) => date >= FIRST_DAY_UNSEEN);
    let [rowsIn, rowsOut, hits] = [0, 0, 0];
    for (let start = 0; start < unseen.length; start += 7) {
      const week = unseen.slice(start, start + 7);
      const predicted = await this.predictWeek(experiment, week);
      rowsIn += week.length;
      rowsOut += predicted.size;
      const items = week.flatMap(({ date, weather }) => {
        const message = predicted.get(date);
        if (message === undefined) return [];
        if (message.prediction === weather) hits++;
        return [{ predicted: message.prediction, actual: weather, at: timeOf(date), version: message.version }];
      });
      const { training, value } = await this.experiments.feedback(experiment, items);
      if (start % (7 * 13) === 0) say(`${week[0]?.date}  rolling accuracy ${value?.toFixed(3) ?? '-'}`);
      if (training === null) continue;
      say(`${date(training.trigger.at)}  rolling accuracy ${value?.toFixed(3)} is below the policy: retraining ...`);
      const next = await training.done;
      versions.push(await this.versionRow(next));
      say(`            version ${next.version} ${verdict(next)}`);
    }
    const frozen = await this.experiments.predict(
      experiment,
      unseen.map(({ features }) => ({ ...features })),
      {
        version: first.version,
      },
    );
    const right = unseen.filter(({ weather }, index) => frozen.predictions[index] === weather).length;
    return {
      experiment,
      rowsIn,
      rowsOut,
      lost: rowsIn - rowsOut,
      versions,
      accuracyFrozen: right / unseen.length,
      accuracyRetrained: hits / rowsOut,
    };
  }

  /** Predicts rows by request. */
  async predict(experiment: string, rows: Features[]): Promise<unknown> {
    return this.experiments.predict(
      experiment,
      rows.map((row) => ({ ...row })),
    );
  }

  /** Sends a week through the input queue and takes its predictions from the output queue, by date. */
  private async predictWeek(experiment: string, week: readonly Day[]): Promise<Map<string, PredictionMessage>> {
    const { streams } = this.experiments.get(experiment);
    if (streams === undefined) throw new Error(`experiment ${experiment} has no streams`);
    await this.stream.sendBatch(
      streams.input,
      week.map(({ date: day, features }) => ({ payload: { ...features }, messageId: day, correlationId: day })),
    );
    const found = new Map<string, PredictionMessage>();
    const deadline = Date.now() + PATIENCE;
    while (found.size < week.length && Date.now() < deadline) {
      for (const delivery of await this.stream.pullBatch(streams.output, { max: week.length, wait: 500 })) {
        // Delivery is at least once: the id tells a repeated prediction from a new one.
        found.set(delivery.messageId, delivery.payload as PredictionMessage);
        await delivery.ack();
      }
    }
    return found;
  }

  private async versionRow({ runId, version, decision }: TrainingOutcome): Promise<VersionRow> {
    const { params, metrics } = await this.mlops.getRun(runId);
    return {
      version: version ?? '-',
      trainedUntil: params['trained_until'] ?? '-',
      accuracy: decision?.challengerScore ?? metrics['accuracy']?.value ?? 0,
      promoted: decision?.promoted ?? false,
    };
  }
}

function date(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function verdict({ decision, status, error }: TrainingOutcome): string {
  if (decision === null) return `${status}: ${error}`;
  return `${decision.promoted ? 'promoted' : 'refused'} (${decision.reason})`;
}
