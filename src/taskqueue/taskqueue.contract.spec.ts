import { expect, it } from 'vitest';
import { LocalTaskQueuePlugin } from './drivers/local/local.plugin.js';
import { taskqueueContract, type ContractHarness, type ContractRunner } from './taskqueue.contract.js';
import type { TaskQueuePlugin } from './taskqueue.plugin.js';

it('the suite is titled as those of the other plugin types', () => {
  const titles: string[] = [];
  const ignore = (): void => undefined;
  const describe = (title: string): void => void titles.push(title);
  const runner: ContractRunner = { describe, it: ignore, beforeEach: ignore, afterEach: ignore };
  const harness: ContractHarness<TaskQueuePlugin> = { create: async () => new LocalTaskQueuePlugin() };
  taskqueueContract(runner, 'my driver', harness);
  expect(titles).toEqual(['taskqueue contract: my driver']);
});
