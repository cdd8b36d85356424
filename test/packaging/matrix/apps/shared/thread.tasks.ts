import { isMainThread } from 'node:worker_threads';
import { defineTasks } from 'nestjs-experiment-hub';

export default defineTasks({
  'matrix.thread': () => ({ onMainThread: isMainThread }),
});
