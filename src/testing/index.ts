export { withChaos, type Chaos, type ChaosFault, type ChaosOptions, type ChaosRule } from './chaos.js';
export { collect, eventually, rejectsWith, type ContractHarness, type ContractRunner } from '../core/contract.js';
export { HubTestingModule, type HubTestingModuleOptions } from './hub-testing.module.js';
