import { Controller, Inject, Req, type MessageEvent } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import type { Metric, Run, RunStatus } from '../../mlops/mlops.types.js';
import { publicTags, trainingTaskOf } from '../../experiment/experiment.tags.js';
import { HubError } from '../../core/errors.js';
import { HubApiAccess } from '../access/hub-access.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import type { ApiRequest } from '../http/api-request.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { decodeCursor, encodeCursor, pageKeys, pageOf, type Page, type PageQuery } from '../http/paging.js';
import { HubApiRedaction } from '../http/redaction.js';
import { progressEvent } from '../schemas/progress.schemas.js';
import { HubApiProgressStreams } from '../progress/progress-streams.js';
import { experimentParams } from '../schemas/experiment.schemas.js';
import { historyQuery, metricPage, runAnswer, runPage, runParams, runsQuery } from '../schemas/run.schemas.js';
import Joi from 'joi';

interface RunParams {
  name: string;
  runId: string;
}

/** Runs of an experiment: what was logged to them, and how a training goes. @internal */
@ApiTags('runs')
@Controller('experiments/:name/runs')
export class HubApiRunsController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
    @Inject(HubApiProgressStreams) private readonly streams: HubApiProgressStreams,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  @Endpoint({
    method: 'GET',
    id: 'listRuns',
    summary: 'Lists the runs of an experiment, the latest start first.',
    params: experimentParams,
    query: runsQuery,
    answers: { 200: { description: 'A page of runs.', schema: runPage } },
  })
  async list(
    @Input() { params, query }: EndpointInput<{ name: string }, PageQuery & { status?: RunStatus }>,
  ): Promise<Page<object>> {
    const { experiments, mlops } = this.access;
    experiments.get(params.name);
    const limit = Math.min(query.limit, this.options.limits.pageSize);
    const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, ['number', 'string']);
    // Nothing was ever logged for an experiment that was never trained.
    const experiment = await mlops.getExperimentByName(params.name);
    if (experiment === null) return { items: [], next: null };
    const filters = [
      ...(after === undefined ? [] : [`attributes.start_time <= ${after[0]}`]),
      ...(query.status === undefined ? [] : [`attributes.status = '${query.status}'`]),
    ];
    const runs = mlops.searchRuns({
      experimentIds: [experiment.experimentId],
      pageSize: limit + 1,
      ...(filters.length === 0 ? {} : { filter: filters.join(' and ') }),
    });
    const items: Run[] = [];
    for await (const run of runs) {
      if (after !== undefined && isUpTo(run, after)) continue;
      if (items.length === limit) {
        const last = items.at(-1);
        return { items: items.map(this.#view), next: last === undefined ? null : cursorOf(last) };
      }
      items.push(run);
    }
    return { items: items.map(this.#view), next: null };
  }

  @Endpoint({
    method: 'GET',
    path: ':runId',
    id: 'getRun',
    summary: 'A run with its params, tags and the latest value of each metric.',
    params: runParams,
    answers: { 200: { description: 'The run.', schema: runAnswer } },
  })
  async get(@Input() { params }: EndpointInput<RunParams>): Promise<object> {
    return this.#view(await this.access.run(params.name, params.runId));
  }

  @Endpoint({
    method: 'GET',
    path: ':runId/metrics',
    id: 'listMetrics',
    summary: 'Lists the metrics of a run, each with its latest point.',
    params: runParams,
    query: Joi.object(pageKeys),
    answers: { 200: { description: 'A page of metrics, by key.', schema: metricPage } },
  })
  async metrics(@Input() { params, query }: EndpointInput<RunParams, PageQuery>): Promise<Page<object>> {
    const { metrics } = await this.access.run(params.name, params.runId);
    const keys = Object.keys(metrics).sort();
    const points = keys.flatMap((key) => metrics[key] ?? []);
    const { items, next } = await pageOf(points, query, this.options.limits.pageSize);
    return { items: items.map(pointView), next };
  }

  @Endpoint({
    method: 'GET',
    path: ':runId/metrics/history',
    id: 'getMetricHistory',
    summary: 'All points of a metric, by step, then time. An unknown key has none.',
    params: runParams,
    query: historyQuery,
    answers: { 200: { description: 'A page of points.', schema: metricPage } },
  })
  async history(
    @Input() { params, query }: EndpointInput<RunParams, PageQuery & { key: string }>,
  ): Promise<Page<object>> {
    const { runId } = await this.access.run(params.name, params.runId);
    const points = this.access.mlops.getMetricHistory(runId, query.key);
    const { items, next } = await pageOf(points, query, this.options.limits.pageSize);
    return { items: items.map(pointView), next };
  }

  @Endpoint({
    method: 'SSE',
    path: ':runId/progress',
    id: 'followRun',
    summary: "Progress of the run's training as server-sent events, until its task ends.",
    params: runParams,
    answers: { 200: { description: 'Server-sent events.', media: 'text/event-stream', schema: progressEvent } },
  })
  async progress(
    @Input() { params }: EndpointInput<RunParams>,
    @Req() { method }: ApiRequest,
  ): Promise<Observable<MessageEvent>> {
    const run = await this.access.run(params.name, params.runId);
    const taskId = trainingTaskOf(run.tags);
    if (taskId !== undefined) return this.streams.of(this.access.tasks, taskId, method);
    throw new HubError('NOT_FOUND', `run ${run.runId} is no training that has a task.`);
  }

  readonly #view = (run: Run): object => {
    const { runId, runName, userId, status, startTime, endTime, lifecycleStage, metrics, params, tags } = run;
    return {
      runId,
      runName,
      userId,
      status,
      startTime,
      endTime,
      lifecycleStage,
      metrics: Object.fromEntries(Object.entries(metrics).map(([key, { value }]) => [key, numberView(value)])),
      params: this.redaction.texts(params),
      tags: this.redaction.texts(publicTags(tags)),
    };
  };
}

function cursorOf({ startTime, runId }: Run): string {
  return encodeCursor([startTime, runId]);
}

/** Whether a run came on the pages before: runs of one start time are in the order of their ids. */
function isUpTo({ startTime, runId }: Run, [time, id]: (string | number)[]): boolean {
  return startTime === time && runId <= String(id);
}

function pointView({ key, value, step, timestamp }: Metric): object {
  return { key, value: numberView(value), step, timestamp };
}

/** JSON has no NaN. */
function numberView(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
