import { describe, expect, it } from 'vitest';
import { TaskRoutes } from './task-route.js';

describe('TaskRoutes', () => {
  const routes = new TaskRoutes({
    defaultQueue: 'celery',
    routes: { 'train.*': 'gpu', 'train.small': 'cpu', '*.slow': 'slow', 'a+b': 'odd' },
    queues: { gpu: { exchange: 'ml', routingKey: 'ml.gpu' }, slow: { exchange: 'ml' } },
  });

  it.each([
    ['add', undefined, { exchange: '', routingKey: 'celery', queue: 'celery' }],
    // The first pattern that fits counts.
    ['train.small', undefined, { exchange: 'ml', routingKey: 'ml.gpu', queue: 'gpu' }],
    ['trainXsmall', undefined, { exchange: '', routingKey: 'celery', queue: 'celery' }],
    ['very.slow', undefined, { exchange: 'ml', routingKey: 'slow', queue: 'slow' }],
    ['a+b', undefined, { exchange: '', routingKey: 'odd', queue: 'odd' }],
    ['train.big', 'mine', { exchange: '', routingKey: 'mine', queue: 'mine' }],
  ])('%s to queue %s', (name, queue, route) => {
    expect(routes.find(name, queue)).toEqual(route);
  });
});
