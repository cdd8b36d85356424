import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataStreamPlugin } from '../../../src/datastream/datastream.plugin.js';
import { Experiments, type PredictionMessage, type Training } from '../../../src/experiment/index.js';
import { ExperimentHubModule } from '../../../src/hub/index.js';
import { MLOpsPlugin } from '../../../src/mlops/mlops.plugin.js';
import type { Metric } from '../../../src/mlops/mlops.types.js';
import { TaskQueuePlugin } from '../../../src/taskqueue/taskqueue.plugin.js';
import { LogListener } from '../../support/log-listener.js';
import { neededService } from '../../support/needed-service.js';
import { CANARY, DIGITS, digits, RealStack, realStack } from '../../support/real-stack.js';
import { run } from '../../support/run-command.js';
import { labelledRows, type LabelledRows } from './label-source.js';

const PREDICTED = 1_000;
const TIMEOUT = 240_000;

interface Readback {
  runs: {
    runId: string;
    status: string;
    params: Record<string, string>;
    tags: Record<string, string>;
    metrics: Record<string, [step: number, value: number, timestamp: number][]>;
    artifacts: string[];
  }[];
  versions: { version: string; runId: string; source: string; tags: Record<string, string> }[];
  champion: string;
  predictions: number[];
}

describe.skipIf(realStack.missing)(`experiments on the real stack${realStack.note}`, { timeout: TIMEOUT }, () => {
  const log = new LogListener();
  let stack: RealStack;
  let app: INestApplication;
  let experiments: Experiments;
  let mlops: MLOpsPlugin;
  let stream: DataStreamPlugin;
  let tasks: TaskQueuePlugin;
  let known: LabelledRows;
  let events: ChildProcess;
  let eventLog = '';

  const python = (args: string[]): Promise<string> =>
    run(neededService('python').address, args, {
      timeout: 60_000,
      env: { ...process.env, ...stack.environment },
      cwd: new URL('../../../examples/python-worker', import.meta.url).pathname,
    });
  const celery = (...args: string[]): Promise<string> => python(['-m', 'celery', '-A', 'app', ...args]);

  beforeAll(async () => {
    stack = await RealStack.open('real-stack');
    events = spawn(neededService('python').address, ['-m', 'celery', '-A', 'app', 'events', '--dump'], {
      env: { ...process.env, ...stack.environment },
      cwd: new URL('../../../examples/python-worker', import.meta.url).pathname,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [events.stdout, events.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => (eventLog += text));
    }
    app = await NestFactory.create(ExperimentHubModule.forRoot({ config: stack.config([digits()]) }), { logger: log });
    await app.listen(0, '127.0.0.1');
    [experiments, mlops] = [app.get(Experiments), app.get(MLOpsPlugin)];
    [stream, tasks] = [app.get(DataStreamPlugin), app.get(TaskQueuePlugin)];
    known = await labelledRows(tasks, DIGITS.firstRow, DIGITS.firstRow + PREDICTED);
  }, TIMEOUT);

  afterAll(async () => {
    events?.kill('SIGKILL');
    await app?.close();
    await stack?.close();
    Logger.overrideLogger(true);
  });

  const predicted = new Map<number, PredictionMessage>();
  let received = 0;

  it('trains the first model in Python and promotes it', async () => {
    const { done, runId } = await experiments.train('digits', { at: DIGITS.trainedAt });
    expect(await done).toMatchObject({ status: 'FINISHED', version: '1', decision: { promoted: true }, error: null });
    const { params, metrics } = await mlops.getRun(runId);
    expect(params).toMatchObject({ model: 'random_forest', trees: '60', rows: '450', holdout: '100' });
    expect(metrics['accuracy']).toMatchObject({ step: 60 });
    expect(metrics['accuracy']?.value).toBeGreaterThan(0.85);
  });

  it('predicts 1 000 rows from queue to queue, and loses none', async () => {
    const outputs = await stream.subscribe('digits.predictions', ({ messageId, payload }) => {
      received += 1;
      predicted.set(Number(messageId.slice('row-'.length)), payload as PredictionMessage);
    });
    await stream.sendBatch(
      'digits.rows',
      known.rows.map((row, index) => ({ payload: row, messageId: `row-${DIGITS.firstRow + index}` })),
    );
    await expect.poll(() => predicted.size, { timeout: 90_000, interval: 50 }).toBe(PREDICTED);
    await outputs.close();
    expect(received).toBe(PREDICTED);
    const versions = new Set([...predicted.values()].map(({ version }) => version));
    expect(versions).toEqual(new Set(['1']));
  });

  it('retrains once when the labels tell that the model has become worse, and promotes the better one', async () => {
    const begun: Training[] = [];
    let worst = 1;
    for (let index = 0; index < PREDICTED; index += 20) {
      const items = Array.from({ length: 20 }, (_unused, offset) => {
        const row = DIGITS.firstRow + index + offset;
        const { prediction, version } = predicted.get(row) as PredictionMessage;
        return { predicted: prediction, actual: known.labels[index + offset] ?? null, at: row * 1_000, version };
      });
      const { training, value, samples } = await experiments.feedback('digits', items);
      if (samples === 100 && value !== null) worst = Math.min(worst, value);
      if (training === null) continue;
      begun.push(training);
      expect(await training.done).toMatchObject({ status: 'FINISHED', version: '2', decision: { promoted: true } });
    }
    expect(worst).toBeLessThanOrEqual(0.6);
    expect(begun).toHaveLength(1);
    const [training] = begun as [Training];
    expect(training.trigger.reason).toBe('policy');
    // Row 900 is the first one that has changed, and a row is labelled each second.
    expect(training.trigger.at).toBeGreaterThan(DIGITS.driftFrom * 1_000);
    expect(training.trigger.at).toBeLessThan((DIGITS.driftFrom + 100) * 1_000);
    const { decision } = await training.done;
    expect(decision?.challengerScore).toBeGreaterThan(decision?.championScore ?? 1);
    expect((await experiments.status('digits')).champion?.version).toBe('2');
  });

  it('does not promote a worse one', async () => {
    const { done } = await experiments.train('digits', { params: { trees: 1, max_depth: 1 }, at: 1_599_000 });
    const { decision, version } = await done;
    expect(version).toBe('3');
    expect(decision?.promoted).toBe(false);
    expect(decision?.challengerScore).toBeLessThan(decision?.championScore ?? 0);
    expect((await experiments.status('digits')).champion?.version).toBe('2');
  });

  it('rolls back, and forward again', async () => {
    expect(await experiments.rollback('digits')).toEqual({ name: 'digits', version: '1' });
    const [row = []] = known.rows;
    expect((await experiments.predict('digits', [row])).model.version).toBe('1');
    await experiments.promote('digits', '2');
    expect((await experiments.predict('digits', [row])).model.version).toBe('2');
  });

  it('is what Python reads: every run, number and version, and the champion predicts the same', async () => {
    const rowsFile = join(stack.folder, 'rows.json');
    await writeFile(rowsFile, JSON.stringify(known.rows));
    await mlops.flush();
    const script = new URL('digits_readback.py', import.meta.url).pathname;
    const read = JSON.parse(await python([script, 'digits', rowsFile])) as Readback;

    // More rows than go in the arguments: they travel by reference.
    const { predictions, model } = await experiments.predict('digits', known.rows, { timeout: 60_000 });
    expect(model.version).toBe(read.champion);
    expect(predictions).toEqual(read.predictions);

    const trainings = read.runs.filter(({ tags }) => tags['hub.kind'] === 'training');
    expect(trainings.map(({ status }) => status)).toEqual(['FINISHED', 'FINISHED', 'FINISHED']);
    expect(read.runs.filter(({ tags }) => tags['hub.kind'] !== 'training')).toHaveLength(1);
    for (const theirs of read.runs) {
      const ours = await mlops.getRun(theirs.runId);
      // By it the driver finds what it has made when the answer was lost; nobody else needs it.
      delete theirs.tags['hub.clientToken'];
      expect(ours).toMatchObject({ status: theirs.status, params: theirs.params, tags: theirs.tags });
      expect(Object.keys(ours.metrics).sort()).toEqual(Object.keys(theirs.metrics).sort());
      for (const [key, points] of Object.entries(theirs.metrics)) {
        const history: Metric[] = [];
        for await (const point of mlops.getMetricHistory(theirs.runId, key)) history.push(point);
        const order = (a: readonly number[], b: readonly number[]) => (a[0] ?? 0) - (b[0] ?? 0);
        expect(history.map(({ step, value, timestamp }) => [step, value, timestamp]).sort(order), key).toEqual(
          points.sort(order),
        );
      }
    }
    // One writer: each step of the progress is there once, the last one with the result's own point.
    expect(trainings[0]?.metrics['accuracy']?.map(([step]) => step)).toEqual([15, 30, 45, 60, 60]);
    const feedback = read.runs.flatMap(({ metrics }) =>
      Object.entries(metrics).flatMap(([key, points]) => (key.startsWith('feedback/v1/') ? [points.length] : [])),
    );
    expect(feedback).toEqual([PREDICTED]);
    expect(read.versions.map(({ version, runId, source }) => ({ version, runId, source }))).toEqual(
      trainings.map(({ runId }, index) => ({ version: String(index + 1), runId, source: `runs:/${runId}/model` })),
    );
    expect(read.versions.map(({ tags }) => tags['hub.decision'])).toEqual(['promoted', 'promoted', 'refused']);
    expect(trainings.every(({ artifacts }) => artifacts.includes('model/MLmodel'))).toBe(true);
  });

  it('is what Celery tells of its worker', async () => {
    const [worker] = await tasks.workers();
    // One that is named ends the wait with its answer.
    const to = ['--json', '--destination', worker?.name ?? '', '--timeout', '30'];
    const [stats = {}] = Object.values(
      JSON.parse(await celery('inspect', 'stats', ...to)) as Record<string, { total?: Record<string, number> }>,
    );
    expect(stats.total).toMatchObject({ 'sklearn.train': 3, 'sklearn.evaluate': 2 });
    const workerLog = (await stack.workers[0]?.log()) ?? '';
    const succeeded = workerLog.match(/Task sklearn\.predict\[\S+ succeeded/g)?.length;
    expect(stats.total?.['sklearn.predict']).toBe(succeeded);
    const [registered = []] = Object.values(
      JSON.parse(await celery('inspect', 'registered', ...to)) as Record<string, string[]>,
    );
    expect(registered).toEqual(expect.arrayContaining(['sklearn.train', 'sklearn.predict', 'sklearn.evaluate']));
  });

  it('tells no secret: not in logs, tags, health, messages or events', async () => {
    expect(eventLog).toContain('sklearn.train');
    const health = await (await fetch(`${await app.getUrl()}/health`)).text();
    expect(health).toContain('"status":"ok"');
    const runs: unknown[] = [];
    const experimentIds = [await mlops.ensureExperiment('digits')];
    for await (const found of mlops.searchRuns({ experimentIds, viewType: 'ALL' })) runs.push(found);
    const told = { log: log.lines, health, runs, events: eventLog, predictions: [...predicted.values()] };
    for (const [where, what] of Object.entries(told)) {
      const text = JSON.stringify(what);
      expect(text.length, where).toBeGreaterThan(2);
      // The vhost's password is its name, which is in addresses that may be shown.
      expect(text.includes(CANARY), where).toBe(false);
    }
    expect((await stack.workers[0]?.log()) ?? '').not.toContain(CANARY);
  });
});
