import { randomUUID } from 'node:crypto';
import type { ConfirmChannel, GetMessage } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { amqpLink } from '../../../../../test/support/open-amqp.js';
import { neededService } from '../../../../../test/support/needed-service.js';
import type { AmqpLink } from '../../../../amqp/index.js';
import { normalizeSubmission } from '../../../taskqueue.validation.js';
import type { TaskSubmission } from '../../../taskqueue.types.js';
import { taskMessage, type TaskMessage } from '../message/task-message.js';
import { AmqpTaskProperties } from './amqp-task-properties.js';

const rabbit = neededService('rabbitmq');
const source = { plugin: 'taskqueue', driver: 'celery' } as const;
const supports = {
  inProcess: false,
  dedup: false,
  priority: true,
  submitRetry: false,
  durableResults: true,
  hardTimeLimit: true,
};
const style = { origin: 'spec', replyTo: '', timezone: 'UTC', showArguments: true };
const NOW = Date.now();

/** Each kind of headers, twice, so that one follows another of its own kind as well. */
const SUBMISSIONS: TaskSubmission[] = [
  { name: 'a.plain', args: [1], taskId: 'plain-1' },
  { name: 'b.own', taskId: 'own-1', headers: { mine: 'yes', deep: { one: [1, 2.5] } } },
  { name: 'c.plain', args: [2], taskId: 'plain-2', countdown: 60_000, expires: NOW + 90_000 },
  { name: 'd.limited', taskId: 'limited-1', timeLimit: 1_500 },
  { name: 'e.own', taskId: 'own-2', headers: { other: null } },
  { name: 'f.limited', taskId: 'limited-2', timeLimit: 2_000 },
  { name: 'g.plain', args: [3], taskId: 'plain-3' },
];

describe.skipIf(rabbit.missing)(`the properties of a task's message${rabbit.note}`, () => {
  let link: AmqpLink;
  let channel: ConfirmChannel;
  let queue: string;

  beforeEach(async () => {
    ({ link } = amqpLink({}));
    await link.open();
    channel = await link.channel();
    queue = `celery-properties-${randomUUID().slice(0, 8)}`;
    await channel.assertQueue(queue, { exclusive: true });
  });

  afterEach(async () => {
    await link.close();
  });

  const messages = (): TaskMessage[] =>
    SUBMISSIONS.map((task) => {
      const checked = normalizeSubmission(task, { supports, maxPayloadBytes: 1_000, source }, NOW);
      return taskMessage(checked, {}, style, NOW, source);
    });

  const received = async (): Promise<GetMessage['properties'][]> => {
    await channel.waitForConfirms();
    const all: GetMessage['properties'][] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return all;
      all.push(message.properties);
    }
  };

  it('are those of each message, in whatever order they are written, and when they are written again', async () => {
    const made = messages().map((message) => ({ message, properties: new AmqpTaskProperties(message, 3) }));
    // As after a lost connection: the first ones again, when others were written meanwhile.
    const written = [...made, ...made.toReversed(), ...made.slice(0, 2)];
    for (const { properties } of written) channel.publish('', queue, Buffer.from('{}'), properties);

    const arrived = await received();

    expect(arrived.map(({ headers }) => ({ ...headers }))).toEqual(written.map(({ message }) => message.headers));
    expect(arrived.map(({ correlationId, messageId }) => [correlationId, messageId])).toEqual(
      written.map(({ message }) => [message.taskId, message.taskId]),
    );
  });

  it('say what Celery needs of every message', async () => {
    const [message] = messages();
    if (message === undefined) throw new Error('no message');
    channel.publish('', queue, Buffer.from('{}'), new AmqpTaskProperties({ ...message, replyTo: 'answers' }, 3));
    channel.publish('', queue, Buffer.from('{}'), new AmqpTaskProperties(message, undefined));

    const [first, second] = await received();

    expect(first).toMatchObject({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
      priority: 3,
      replyTo: 'answers',
    });
    expect([second?.priority, second?.replyTo]).toEqual([undefined, undefined]);
  });
});
