import { Controller, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { ExperimentStatus, ResolvedExperiment } from '../../experiment/index.js';
import { HUB_API_OPTIONS, type ResolvedHubApiOptions } from '../api.options.js';
import { HubApiAccess } from '../access/hub-access.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { pageKeys, pageOf, type Page, type PageQuery } from '../http/paging.js';
import { HubApiRedaction } from '../http/redaction.js';
import Joi from 'joi';
import { experimentAnswer, experimentPage, experimentParams, statusAnswer } from '../schemas/experiment.schemas.js';

/** Experiments: what they are and how they do. @internal */
@ApiTags('experiments')
@Controller('experiments')
export class HubApiExperimentsController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  @Endpoint({
    method: 'GET',
    id: 'listExperiments',
    summary: 'Lists the experiments, in the order of definition.',
    query: Joi.object(pageKeys),
    answers: { 200: { description: 'A page of definitions.', schema: experimentPage } },
  })
  async list(@Input() { query }: EndpointInput<unknown, PageQuery>): Promise<Page<object>> {
    const { experiments } = this.access;
    const { items, next } = await pageOf(experiments.list(), query, this.options.limits.pageSize);
    return { items: items.map((name) => this.#view(experiments.get(name))), next };
  }

  @Endpoint({
    method: 'GET',
    path: ':name',
    id: 'getExperiment',
    summary: 'The definition of an experiment, with its defaults filled in.',
    params: experimentParams,
    answers: { 200: { description: 'The definition.', schema: experimentAnswer } },
  })
  get(@Input() { params }: EndpointInput<{ name: string }>): object {
    return this.#view(this.access.experiments.get(params.name));
  }

  @Endpoint({
    method: 'GET',
    path: ':name/status',
    id: 'getExperimentStatus',
    summary: 'Champion, training in flight, rolling metric and last training.',
    params: experimentParams,
    answers: { 200: { description: 'The status.', schema: statusAnswer } },
  })
  status(@Input() { params }: EndpointInput<{ name: string }>): Promise<ExperimentStatus> {
    return this.access.experiments.status(params.name);
  }

  /** What the schema of the answer names, hence without `data`: what it says may not be for callers. */
  #view(experiment: ResolvedExperiment): object {
    const { text } = this.redaction;
    const params = Object.entries(experiment.params).map(
      ([key, value]) => [key, typeof value === 'string' ? text(value) : value] as const,
    );
    const full = { ...experiment, params: Object.fromEntries(params) };
    return experimentAnswer.validate(full, { stripUnknown: { objects: true } }).value as object;
  }
}
