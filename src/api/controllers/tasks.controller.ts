import { Controller, HttpStatus, Inject, Req, Res, type MessageEvent } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiTags } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { HubError } from '../../core/errors.js';
import type { JsonValue } from '../../core/json.js';
import type { CancelOutcome, SubmitOptions, TaskStatus } from '../../taskqueue/taskqueue.types.js';
import { FINAL_TASK_STATES } from '../../taskqueue/taskqueue.types.js';
import { HubApiAccess } from '../access/hub-access.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { pathOf, type ApiRequest } from '../http/api-request.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { HubApiRedaction } from '../http/redaction.js';
import { progressEvent } from '../schemas/progress.schemas.js';
import { HubApiProgressStreams } from '../progress/progress-streams.js';
import { cancelAnswer } from '../schemas/experiment.schemas.js';
import {
  resultAnswer,
  resultQuery,
  submitBody,
  submittedAnswer,
  taskAnswer,
  taskParams,
} from '../schemas/task.schemas.js';

type OfTask<Query = unknown> = EndpointInput<{ taskId: string }, Query>;

/** Tasks by name and by id. @internal */
@ApiTags('tasks')
@Controller('tasks')
export class HubApiTasksController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
    @Inject(HubApiProgressStreams) private readonly streams: HubApiProgressStreams,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  @Endpoint({
    method: 'POST',
    id: 'submitTask',
    summary: "Submits one of the application's allowed tasks by name.",
    body: submitBody,
    answers: {
      202: {
        description: 'The task queue has it.',
        schema: submittedAnswer,
        headers: { Location: 'Path of the task.' },
      },
    },
    problems: [409, 501],
  })
  async submit(
    @Input() { body: { name, ...options } }: EndpointInput<unknown, unknown, SubmitOptions & { name: string }>,
    @Req() request: ApiRequest,
    @Res({ passthrough: true }) response: object,
  ): Promise<{ taskId: string }> {
    this.access.assertSubmit(name);
    const taskId = await this.access.tasks.submitTask(name, options);
    this.host.httpAdapter.setHeader(response, 'Location', `${pathOf(request).replace(/\/+$/, '')}/${taskId}`);
    return { taskId };
  }

  @Endpoint({
    method: 'GET',
    path: ':taskId',
    id: 'getTask',
    summary: 'What is known of a task.',
    params: taskParams,
    answers: { 200: { description: 'The status.', schema: taskAnswer } },
  })
  async get(@Input() { params }: OfTask): Promise<object> {
    return this.#view(await this.access.taskStatus(params.taskId));
  }

  @Endpoint({
    method: 'GET',
    path: ':taskId/result',
    id: 'getTaskResult',
    summary: 'The result of a task, waited for. 422 when it failed, 409 when it was cancelled, 410 when it is gone.',
    params: taskParams,
    query: resultQuery,
    answers: {
      200: { description: 'The result.', schema: resultAnswer },
      202: { description: 'It has not ended: its status.', schema: taskAnswer },
    },
    problems: [409, 410, 422],
  })
  async result(
    @Input() { params: { taskId }, query }: OfTask<{ wait: number }>,
    @Res({ passthrough: true }) response: object,
  ): Promise<object> {
    const status = await this.access.taskStatus(taskId);
    const ended = FINAL_TASK_STATES.includes(status.state);
    const wait = Math.min(query.wait, this.options.limits.wait);
    if (ended || wait > 0) {
      try {
        // The result of a task that has ended is there, but it has to be fetched.
        const timeout = ended ? this.options.limits.wait : wait;
        return { taskId, result: await this.access.tasks.getResult<JsonValue>(taskId, { timeout }) };
      } catch (error) {
        if (ended || !HubError.is(error, 'TIMEOUT')) throw error;
      }
    }
    this.host.httpAdapter.status(response, HttpStatus.ACCEPTED);
    return this.#view(await this.access.taskStatus(taskId));
  }

  @Endpoint({
    method: 'POST',
    path: ':taskId/cancel',
    id: 'cancelTask',
    summary: 'Cancels a task; one that runs is asked to stop.',
    params: taskParams,
    answers: { 200: { description: 'What became of it.', schema: cancelAnswer } },
  })
  async cancel(@Input() { params }: OfTask): Promise<{ outcome: CancelOutcome }> {
    await this.access.taskStatus(params.taskId);
    return { outcome: await this.access.tasks.cancel(params.taskId) };
  }

  @Endpoint({
    method: 'SSE',
    path: ':taskId/progress',
    id: 'followTask',
    summary: 'Progress of a task as server-sent events, until it ends.',
    params: taskParams,
    answers: { 200: { description: 'Server-sent events.', media: 'text/event-stream', schema: progressEvent } },
  })
  async progress(@Input() { params }: OfTask, @Req() { method }: ApiRequest): Promise<Observable<MessageEvent>> {
    await this.access.taskStatus(params.taskId);
    return this.streams.of(this.access.tasks, params.taskId, method);
  }

  #view(status: TaskStatus): object {
    const { taskId, name, state, attempt, progress, error, submittedAt, startedAt, finishedAt } = status;
    const { text } = this.redaction;
    return {
      taskId,
      name,
      state,
      attempt,
      progress,
      error: error === null ? null : { type: text(error.type), message: text(error.message) },
      submittedAt,
      startedAt,
      finishedAt,
    };
  }
}
