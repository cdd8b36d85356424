import { Controller, Inject, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiTags } from '@nestjs/swagger';
import type { FeedbackItem, ModelInfo, Prediction, Training, TrainOptions } from '../../experiment/index.js';
import type { JsonValue } from '../../core/json.js';
import type { CancelOutcome } from '../../taskqueue/taskqueue.types.js';
import { HubApiAccess } from '../access/hub-access.js';
import { pathOf, type ApiRequest } from '../http/api-request.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { HubApiRedaction } from '../http/redaction.js';
import {
  cancelAnswer,
  experimentParams,
  feedbackAnswer,
  feedbackBody,
  modelAnswer,
  predictBody,
  predictionAnswer,
  promoteBody,
  trainBody,
  trainingAnswer,
} from '../schemas/experiment.schemas.js';

type Named<Body = unknown> = EndpointInput<{ name: string }, unknown, Body>;

const accepted = {
  202: {
    description: 'The training has begun.',
    schema: trainingAnswer,
    headers: { Location: 'Path of the run of the training.' },
  },
};

/** Commands on experiments. @internal */
@ApiTags('experiments')
@Controller('experiments/:name')
export class HubApiCommandsController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
  ) {}

  @Endpoint({
    method: 'POST',
    path: 'train',
    id: 'trainExperiment',
    summary: 'Begins a training. 409 while another one is in flight.',
    params: experimentParams,
    body: trainBody,
    bodyOptional: true,
    answers: accepted,
    problems: [409],
  })
  async train(
    @Input() { params, body }: Named<TrainOptions>,
    @Req() request: ApiRequest,
    @Res({ passthrough: true }) response: object,
  ): Promise<object> {
    return this.#accepted(await this.access.experiments.train(params.name, body), request, response);
  }

  @Endpoint({
    method: 'POST',
    path: 'retrain',
    id: 'retrainExperiment',
    summary: 'Begins a training for an experiment that has a champion. 409 when it has none.',
    params: experimentParams,
    body: trainBody,
    bodyOptional: true,
    answers: accepted,
    problems: [409],
  })
  async retrain(
    @Input() { params, body }: Named<TrainOptions>,
    @Req() request: ApiRequest,
    @Res({ passthrough: true }) response: object,
  ): Promise<object> {
    return this.#accepted(await this.access.experiments.retrain(params.name, body), request, response);
  }

  @Endpoint({
    method: 'POST',
    path: 'cancel',
    id: 'cancelTraining',
    summary: 'Cancels the training in flight.',
    params: experimentParams,
    answers: { 200: { description: 'What became of it.', schema: cancelAnswer } },
    problems: [409],
  })
  async cancel(@Input() { params }: Named): Promise<{ outcome: CancelOutcome }> {
    return { outcome: await this.access.experiments.cancel(params.name) };
  }

  @Endpoint({
    method: 'POST',
    path: 'predict',
    id: 'predict',
    summary: 'Predicts rows with the champion. 409 before there is one, 422 when the task fails.',
    params: experimentParams,
    body: predictBody,
    answers: { 200: { description: 'The predictions.', schema: predictionAnswer } },
    problems: [409, 504],
  })
  async predict(
    @Input() { params, body: { rows, version } }: Named<{ rows: JsonValue[]; version?: string }>,
  ): Promise<Prediction> {
    const options = version === undefined ? {} : { version };
    const { model, predictions, errors } = await this.access.experiments.predict(params.name, rows, options);
    return { model, predictions, errors: this.redaction.texts(errors) };
  }

  @Endpoint({
    method: 'POST',
    path: 'feedback',
    id: 'recordFeedback',
    summary: 'Records what became of predictions; a policy may begin a retrain by it.',
    params: experimentParams,
    body: feedbackBody,
    answers: { 200: { description: 'The rolling metric.', schema: feedbackAnswer } },
    problems: [409],
  })
  async feedback(@Input() { params, body: { items } }: Named<{ items: FeedbackItem[] }>): Promise<object> {
    const { samples, value, training } = await this.access.experiments.feedback(params.name, items);
    return { samples, value, training: training === null ? null : viewOf(training) };
  }

  @Endpoint({
    method: 'POST',
    path: 'rollback',
    id: 'rollbackChampion',
    summary: 'Makes the previous champion the champion again. 409 when there is none.',
    params: experimentParams,
    answers: { 200: { description: 'The champion.', schema: modelAnswer } },
    problems: [409],
  })
  rollback(@Input() { params }: Named): Promise<ModelInfo> {
    return this.access.experiments.rollback(params.name);
  }

  @Endpoint({
    method: 'POST',
    path: 'promote',
    id: 'promoteVersion',
    summary: 'Makes a version the champion, past the gate.',
    params: experimentParams,
    body: promoteBody,
    answers: { 200: { description: 'The champion.', schema: modelAnswer } },
    problems: [409],
  })
  promote(@Input() { params, body }: Named<{ version: string }>): Promise<ModelInfo> {
    return this.access.experiments.promote(params.name, body.version);
  }

  #accepted(training: Training, request: ApiRequest, response: object): object {
    const runs = pathOf(request).replace(/[^/]+\/*$/, 'runs');
    this.host.httpAdapter.setHeader(response, 'Location', `${runs}/${training.runId}`);
    return viewOf(training);
  }
}

function viewOf({ runId, taskId, trigger }: Training): object {
  return { runId, taskId, trigger };
}
