import { defineDriver } from '../../../core/driver.js';
import { mlflowSchema, type MLflowOptions } from './mlflow.options.js';

export type { RejectedWrite } from './buffer/spool.schema.js';
export type { MLflowBufferOptions, MLflowOptions, MLflowPluginOptions, MLflowSpoolOptions } from './mlflow.options.js';
export type { MLflowPlugin } from './mlflow.plugin.js';

/** Tracks on an MLflow server, version 2 or 3. */
export default defineDriver<MLflowOptions>({
  type: 'mlops',
  name: 'mlflow',
  label: 'MLflow',
  peers: [],
  schema: mlflowSchema,
  load: async () => (await import('./mlflow.module.js')).MLflowDriverModule,
});
