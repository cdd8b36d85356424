import { defineDriver } from '../../../core/driver.js';
import { localMLOpsSchema, type LocalMLOpsOptions } from './local.options.js';

export type { LocalMLOpsOptions } from './local.options.js';

/** The embedded MLOps driver: an MLflow database and a folder of artifacts, with nothing to install. */
export default defineDriver<LocalMLOpsOptions>({
  type: 'mlops',
  name: 'local',
  label: 'Local (MLflow database)',
  peers: [],
  schema: localMLOpsSchema,
  load: async () => (await import('./local.module.js')).LocalMLOpsDriverModule,
});
