import { Controller, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { JsonValue } from '../../core/json.js';
import type { DeadLetter, QueueInfo, SendOptions } from '../../datastream/datastream.types.js';
import { HubApiAccess } from '../access/hub-access.js';
import { HUB_API_OPTIONS, isAllowed, type ResolvedHubApiOptions } from '../api.options.js';
import { Endpoint } from '../http/endpoint.js';
import { Input, type EndpointInput } from '../http/input.js';
import { pageOf, type Page, type PageQuery } from '../http/paging.js';
import { HubApiRedaction } from '../http/redaction.js';
import {
  countAnswer,
  deadLettersAnswer,
  deadLettersQuery,
  messageBody,
  queueAnswer,
  queueListQuery,
  queuePage,
  queueParams,
  redriveBody,
  sentAnswer,
} from '../schemas/queue.schemas.js';

type OfQueue<Query = unknown, Body = unknown> = EndpointInput<{ queue: string }, Query, Body>;

/** The queues that the option `queues` opens. @internal */
@ApiTags('queues')
@Controller('queues')
export class HubApiQueuesController {
  constructor(
    @Inject(HubApiAccess) private readonly access: HubApiAccess,
    @Inject(HubApiRedaction) private readonly redaction: HubApiRedaction,
    @Inject(HUB_API_OPTIONS) private readonly options: ResolvedHubApiOptions,
  ) {}

  @Endpoint({
    method: 'GET',
    id: 'listQueues',
    summary: 'Lists the queues that the option `queues` names, and what is allowed with them.',
    query: queueListQuery,
    answers: { 200: { description: 'A page of queues, by name.', schema: queuePage } },
  })
  async list(@Input() { query }: EndpointInput<unknown, PageQuery>): Promise<Page<object>> {
    const { read, send, manage } = this.options.queues;
    const named = [read, send, manage].flatMap((names) => (typeof names === 'string' ? [] : names));
    const { items, next } = await pageOf([...new Set(named)].sort(), query, this.options.limits.pageSize);
    const row = (name: string): object => ({
      name,
      read: isAllowed(read, name),
      send: isAllowed(send, name),
      manage: isAllowed(manage, name),
    });
    return { items: items.map(row), next };
  }

  @Endpoint({
    method: 'GET',
    path: ':queue',
    id: 'getQueue',
    summary: 'Counts of a queue at this moment.',
    params: queueParams,
    answers: { 200: { description: 'The counts.', schema: queueAnswer } },
  })
  async info(@Input() { params: { queue } }: OfQueue): Promise<QueueInfo> {
    const { name, ready, unacked, delayed, deadLetters, consumers } = await this.access
      .stream(queue, 'read')
      .queueInfo(queue);
    return { name, ready, unacked, delayed, deadLetters, consumers };
  }

  @Endpoint({
    method: 'POST',
    path: ':queue/messages',
    id: 'sendMessage',
    summary: 'Sends a message. 409 when the queue is full.',
    params: queueParams,
    body: messageBody,
    answers: { 201: { description: 'The data stream has it.', schema: sentAnswer } },
    problems: [409, 501],
  })
  async send(
    @Input() { params: { queue }, body }: OfQueue<unknown, SendOptions & { payload: JsonValue }>,
  ): Promise<{ messageId: string }> {
    const { payload, ...options } = body;
    return { messageId: await this.access.stream(queue, 'send').sendData(queue, payload, options) };
  }

  @Endpoint({
    method: 'POST',
    path: ':queue/flush',
    id: 'flushQueue',
    summary: 'Removes the ready messages.',
    params: queueParams,
    answers: { 200: { description: 'How many were removed.', schema: countAnswer } },
  })
  async flush(@Input() { params: { queue } }: OfQueue): Promise<{ count: number }> {
    return { count: await this.access.stream(queue, 'manage').flushQueue(queue) };
  }

  @Endpoint({
    method: 'GET',
    path: ':queue/dead-letters',
    id: 'listDeadLetters',
    summary: 'The oldest dead letters; they stay.',
    params: queueParams,
    query: deadLettersQuery,
    answers: { 200: { description: 'Dead letters.', schema: deadLettersAnswer } },
  })
  async deadLetters(@Input() { params: { queue }, query }: OfQueue<{ limit: number }>): Promise<{ items: object[] }> {
    const max = Math.min(query.limit, this.options.limits.pageSize);
    const letters = await this.access.stream(queue, 'read').peekDeadLetters(queue, { max });
    return { items: letters.map((letter) => this.#view(letter)) };
  }

  @Endpoint({
    method: 'POST',
    path: ':queue/dead-letters/redrive',
    id: 'redriveDeadLetters',
    summary: 'Sends dead letters back to their queue.',
    params: queueParams,
    body: redriveBody,
    bodyOptional: true,
    answers: { 200: { description: 'How many were sent back.', schema: countAnswer } },
  })
  async redrive(
    @Input() { params: { queue }, body }: OfQueue<unknown, { max?: number; messageIds?: string[] }>,
  ): Promise<{ count: number }> {
    return { count: await this.access.stream(queue, 'manage').redriveDeadLetters(queue, body) };
  }

  @Endpoint({
    method: 'DELETE',
    path: ':queue/dead-letters',
    id: 'purgeDeadLetters',
    summary: 'Removes all dead letters.',
    params: queueParams,
    answers: { 200: { description: 'How many were removed.', schema: countAnswer } },
  })
  async purge(@Input() { params: { queue } }: OfQueue): Promise<{ count: number }> {
    return { count: await this.access.stream(queue, 'manage').purgeDeadLetters(queue) };
  }

  #view(letter: DeadLetter): object {
    const { messageId, payload, headers, correlationId, timestamp, attempt, reason, detail, deadAt } = letter;
    const bytes = payload instanceof Uint8Array;
    return {
      messageId,
      encoding: bytes ? 'base64' : 'json',
      payload: bytes ? Buffer.from(payload).toString('base64') : payload,
      headers,
      correlationId,
      timestamp,
      attempt,
      reason,
      detail: this.redaction.text(detail),
      deadAt,
    };
  }
}
