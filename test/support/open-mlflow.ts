import { MLflowPlugin } from '../../src/mlops/drivers/mlflow/mlflow.plugin.js';

/** Options of {@link mlflowPlugin}: what differs from the defaults. */
export interface OpenMLflowOptions {
  mlflowUri: string;
  spool: { dir: string };
  auth?: object;
}

/** A plugin of the MLflow driver, not initialized. */
export function mlflowPlugin(options: OpenMLflowOptions): MLflowPlugin {
  // The schema completes the groups, which the type has no word for.
  return new MLflowPlugin(options as ConstructorParameters<typeof MLflowPlugin>[0]);
}
