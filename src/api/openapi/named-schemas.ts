import type { Schema } from 'joi';
import { problemSchema } from '../http/problem.js';
import * as experiments from '../schemas/experiment.schemas.js';
import * as hub from '../schemas/hub.schemas.js';
import { progressEvent } from '../schemas/progress.schemas.js';
import * as queues from '../schemas/queue.schemas.js';
import * as runs from '../schemas/run.schemas.js';
import * as tasks from '../schemas/task.schemas.js';
import type { HubApiOpenApi } from './api-document.js';
import { openApiSchema } from './openapi-schema.js';

/** The schemas that the document names, so that generated clients have types of these names. */
const NAMED: Record<string, [Schema, 'input' | 'output']> = {
  HubExperiment: [experiments.experimentAnswer, 'output'],
  HubExperimentPage: [experiments.experimentPage, 'output'],
  HubExperimentStatus: [experiments.statusAnswer, 'output'],
  HubTrainRequest: [experiments.trainBody, 'input'],
  HubTraining: [experiments.trainingAnswer, 'output'],
  HubCancelled: [experiments.cancelAnswer, 'output'],
  HubPredictRequest: [experiments.predictBody, 'input'],
  HubPrediction: [experiments.predictionAnswer, 'output'],
  HubFeedbackRequest: [experiments.feedbackBody, 'input'],
  HubFeedback: [experiments.feedbackAnswer, 'output'],
  HubPromoteRequest: [experiments.promoteBody, 'input'],
  HubModel: [experiments.modelAnswer, 'output'],
  HubRun: [runs.runAnswer, 'output'],
  HubRunPage: [runs.runPage, 'output'],
  HubMetricPage: [runs.metricPage, 'output'],
  HubArtifactPage: [runs.artifactPage, 'output'],
  HubSubmitRequest: [tasks.submitBody, 'input'],
  HubSubmitted: [tasks.submittedAnswer, 'output'],
  HubTask: [tasks.taskAnswer, 'output'],
  HubTaskResult: [tasks.resultAnswer, 'output'],
  HubProgressEvent: [progressEvent, 'output'],
  HubQueue: [queues.queueAnswer, 'output'],
  HubQueuePage: [queues.queuePage, 'output'],
  HubMessageRequest: [queues.messageBody, 'input'],
  HubSent: [queues.sentAnswer, 'output'],
  HubDeadLetters: [queues.deadLettersAnswer, 'output'],
  HubRedriveRequest: [queues.redriveBody, 'input'],
  HubCount: [queues.countAnswer, 'output'],
  HubPlugins: [hub.pluginsAnswer, 'output'],
  HubHealth: [hub.healthAnswer, 'output'],
  HubProblem: [problemSchema, 'input'],
};

/** The document with its known schemas moved to `components.schemas` and referred to. @internal */
export function nameSchemas(document: HubApiOpenApi): HubApiOpenApi {
  const names = new Map<string, string>();
  const schemas: Record<string, object> = {};
  for (const [name, [schema, mode]] of Object.entries(NAMED)) {
    const made = openApiSchema(schema, mode);
    names.set(JSON.stringify(made), name);
    schemas[name] = made;
  }
  const refer = (value: unknown, self?: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => refer(item));
    if (typeof value !== 'object' || value === null) return value;
    const name = names.get(JSON.stringify(value));
    if (name !== undefined && name !== self) return { $ref: `#/components/schemas/${name}` };
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, refer(item)]));
  };
  const named = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, refer(schema, name)]));
  return {
    ...document,
    paths: refer(document.paths) as HubApiOpenApi['paths'],
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, ...(named as Record<string, object>) },
    },
  };
}
