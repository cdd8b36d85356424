export {
  ExperimentHubApiModule,
  type AsyncHubApiOptions,
  type ExperimentHubApiModuleAsyncOptions,
  type ExperimentHubApiModuleOptions,
} from './api.module.js';
export type {
  HubApiAuth,
  HubApiExtras,
  HubApiGuards,
  HubApiLimits,
  HubApiNames,
  HubApiOptions,
  HubApiQueues,
  HubApiSecurityScheme,
} from './api.options.js';
export type { Page } from './http/paging.js';
export type { Problem, ProblemFault } from './http/problem.js';
export { addHubApi, hubApiDocument, type HubApiOpenApi } from './openapi/api-document.js';
