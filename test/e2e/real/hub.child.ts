// A hub in a process of its own, for tests that kill it. It is told what to do, and answers, by messages of Node's IPC.
// It is made of the built package, which starts in a fraction of the time that the sources need.
import { NestFactory } from '@nestjs/core';
import { ExperimentHubModule, Experiments, HubError } from 'nestjs-experiment-hub';
import type { ExperimentHubModuleOptions, FeedbackItem, TrainOptions } from 'nestjs-experiment-hub';
import type { HubAnswer, HubCall } from './hub-process.js';

const options = JSON.parse(process.env['HUB_CHILD_OPTIONS'] ?? '{}') as ExperimentHubModuleOptions;
const app = await NestFactory.createApplicationContext(ExperimentHubModule.forRoot(options), {
  logger: ['log', 'warn', 'error'],
});
app.enableShutdownHooks();
const experiments = app.get(Experiments);

const commands = {
  train: async (name: string, how?: TrainOptions) => {
    const { runId, taskId, trigger } = await experiments.train(name, how);
    return { runId, taskId, trigger };
  },
  feedback: async (name: string, items: FeedbackItem[]) => {
    const { training, ...rest } = await experiments.feedback(name, items);
    return { ...rest, begun: training?.runId ?? null };
  },
  status: (name: string) => experiments.status(name),
};

async function answer({ id, command, args }: HubCall): Promise<HubAnswer> {
  try {
    const result: unknown = await (commands[command] as (...given: unknown[]) => Promise<unknown>)(...args);
    return { id, result };
  } catch (error) {
    const code = HubError.is(error) ? error.code : 'UNKNOWN';
    return { id, error: { code, message: String(error) } };
  }
}

process.on('message', (call: HubCall) => {
  void answer(call).then((message) => process.send?.(message));
});
// Its parent is gone.
process.on('disconnect', () => process.exit(1));
process.send?.('ready');
