import { Inject, Injectable } from '@nestjs/common';
import {
  DataStreamPlugin,
  Experiments,
  MLOpsPlugin,
  type FeedbackItem,
  type JsonValue,
  type PredictionMessage,
  type TrainingOutcome,
} from 'nestjs-experiment-hub';
import { DigitsWorld, type World } from './digits.world.js';

/** A version of the model, for the table. */
export interface VersionRow {
  version: string;
  model: string;
  lastRow: number;
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
  /** Of the first model on the rows after the scanner changed. */
  accuracyFrozen: number;
  /** Of whatever was the champion when each of them came. */
  accuracyRetrained: number;
}

/** The first model knows the rows before this one. */
const FIRST_UNSEEN = 797;
/** Rows that come at a time. */
const PART = 100;
/** Longest wait for the predictions of a part, in ms. */
const PATIENCE = 60_000;

/** Trains on the first pictures, and then reads the others as they come. */
@Injectable()
export class DigitsService {
  constructor(
    @Inject(Experiments) private readonly experiments: Experiments,
    @Inject(MLOpsPlugin) private readonly mlops: MLOpsPlugin,
    @Inject(DataStreamPlugin) private readonly stream: DataStreamPlugin,
    @Inject(DigitsWorld) private readonly world: DigitsWorld,
  ) {}

  /** Lives through all pictures in a new experiment of its own, so that a second replay gives the same figures. */
  async replay(say: (line: string) => void): Promise<Replay> {
    const { name, data, from } = await this.begin();
    say(`experiment ${name}: training on the first ${FIRST_UNSEEN} pictures ...`);
    const { times } = await this.world.rows(data, FIRST_UNSEEN - 1, FIRST_UNSEEN);
    const first = await (await this.experiments.train(name, { at: times[0] ?? 0 })).done;
    if (first.status !== 'FINISHED') throw new Error(`the first training ended ${first.status}: ${first.error}`);
    const versions = [await this.versionRow(first)];
    say(`version ${first.version} is the champion: ${versions[0]?.accuracy.toFixed(3)} on the rows for scoring`);

    const seen: { row: number[]; label: number; prediction: JsonValue }[] = [];
    let [rowsIn, rowsOut] = [0, 0];
    for (let start = FIRST_UNSEEN, total = Infinity; start < total; start += PART) {
      const part = await this.world.rows(data, start, start + PART);
      ({ total } = part);
      rowsIn += part.rows.length;
      const found = await this.predictPart(name, start, part);
      const items: FeedbackItem[] = [];
      for (const [index, label] of part.labels.entries()) {
        const message = found.get(idOf(start + index));
        if (message === undefined) continue;
        const { prediction, version } = message;
        items.push({ predicted: prediction, actual: label, at: part.times[index] ?? 0, version });
        if (start + index >= from) seen.push({ row: part.rows[index] ?? [], label, prediction });
      }
      rowsOut += found.size;
      const { training, value } = await this.experiments.feedback(name, items);
      say(`rows ${start} to ${start + part.rows.length - 1}: rolling accuracy ${value?.toFixed(3) ?? '-'}`);
      if (training === null) continue;
      say('that is below the policy: retraining ...');
      const next = await training.done;
      versions.push(await this.versionRow(next));
      say(`version ${next.version} ${verdict(next)}`);
    }
    const frozen = await this.experiments.predict(
      name,
      seen.map(({ row }) => row),
      { version: first.version ?? '1' },
    );
    return {
      experiment: name,
      rowsIn,
      rowsOut,
      lost: rowsIn - rowsOut,
      versions,
      accuracyFrozen: share(seen, ({ label }, index) => frozen.predictions[index] === label),
      accuracyRetrained: share(seen, ({ label, prediction }) => prediction === label),
    };
  }

  /** Defines the experiment of this replay: the one of the configuration under a name that is still free. */
  private async begin() {
    const configured = this.experiments.get('digits');
    let name = 'digits';
    for (let count = 2; (await this.mlops.getExperimentByName(name)) !== null; count += 1) name = `digits-${count}`;
    if (name !== 'digits') {
      const streams = { input: name, output: `${name}-predictions` };
      this.experiments.define({ ...configured, name, model: name, streams });
    }
    await this.experiments.startConsumers();
    const { data } = configured;
    const { driftFrom = Infinity } = data as { driftFrom?: number };
    return { name, data, from: driftFrom };
  }

  /** Sends a part through the input queue and takes its predictions from the output queue, by id. */
  private async predictPart(name: string, start: number, { rows }: World): Promise<Map<string, PredictionMessage>> {
    const { streams } = this.experiments.get(name);
    if (streams === undefined) throw new Error(`experiment ${name} has no streams`);
    await this.stream.sendBatch(
      streams.input,
      rows.map((payload, index) => ({ payload, messageId: idOf(start + index) })),
    );
    const found = new Map<string, PredictionMessage>();
    const deadline = Date.now() + PATIENCE;
    while (found.size < rows.length && Date.now() < deadline) {
      for (const delivery of await this.stream.pullBatch(streams.output, { max: rows.length, wait: 500 })) {
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
      model: params['model'] ?? '-',
      lastRow: Number(params['last_row']),
      accuracy: decision?.challengerScore ?? metrics['accuracy']?.value ?? 0,
      promoted: decision?.promoted ?? false,
    };
  }
}

function idOf(row: number): string {
  return `picture-${row}`;
}

function share<T>(items: readonly T[], holds: (item: T, index: number) => boolean): number {
  return items.filter(holds).length / items.length;
}

function verdict({ decision, status, error }: TrainingOutcome): string {
  if (decision === null) return `${status}: ${error}`;
  return `${decision.promoted ? 'promoted' : 'refused'} (${decision.reason})`;
}
