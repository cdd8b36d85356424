import type { ContractHarness, ContractRunner } from '../core/contract.js';
import { artifactsContract } from './contract/artifacts.contract.js';
import { experimentsContract } from './contract/experiments.contract.js';
import { lifeOfMLOpsContract } from './contract/life.contract.js';
import { metricsContract } from './contract/metrics.contract.js';
import { modelVersionsContract } from './contract/model-versions.contract.js';
import { modelsContract } from './contract/models.contract.js';
import { paramsAndTagsContract } from './contract/params-and-tags.contract.js';
import { runsContract } from './contract/runs.contract.js';
import { searchContract } from './contract/search.contract.js';
import type { MLOpsPlugin } from './mlops.plugin.js';

export type { ContractHarness, ContractRunner } from '../core/contract.js';

/**
 * What every driver of {@link MLOpsPlugin} has to do, as tests for any runner. Drivers with `supports.durable` need
 * `harness.reopen`.
 */
export function mlopsContract(runner: ContractRunner, name: string, harness: ContractHarness<MLOpsPlugin>): void {
  runner.describe(`mlops contract: ${name}`, () => {
    experimentsContract(runner, harness);
    runsContract(runner, harness);
    metricsContract(runner, harness);
    paramsAndTagsContract(runner, harness);
    artifactsContract(runner, harness);
    modelsContract(runner, harness);
    modelVersionsContract(runner, harness);
    searchContract(runner, harness);
    lifeOfMLOpsContract(runner, harness);
  });
}
