import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../../../core/contract.js';
import { LocalMLOpsPlugin } from '../local.plugin.js';

describe('large filters', () => {
  const plugin = new LocalMLOpsPlugin({ dataDir: ':memory:' });
  let runId: string;
  beforeAll(async () => {
    await plugin.initialize();
    ({ runId } = await plugin.startRun('0', { tags: { t: 'x' } }));
  });
  afterAll(() => plugin.shutdown());
  const found = async (filter: string, orderBy: string[] = []) =>
    (await collect(plugin.searchRuns({ experimentIds: ['0'], filter, orderBy }))).map((run) => run.runId);
  const comparisons = (count: number) => Array.from({ length: count }, () => "tags.t = 'x'").join(' AND ');
  const list = (count: number) =>
    `tags.t IN (${Array.from({ length: count - 1 }, (_, index) => `'${index}'`).join()}, 'x')`;
  const keys = (count: number) => Array.from({ length: count }, () => 'start_time');

  it('up to 500 comparisons, 30 000 values and 500 keys of an order work', async () => {
    expect(await found(comparisons(500))).toEqual([runId]);
    expect(await found(list(29_999))).toEqual([runId]);
    expect(await found('', keys(500))).toEqual([runId]);
  });

  it.each([
    ['comparisons', comparisons(501), []],
    ['values', list(30_001), []],
    ['keys of an order', '', keys(501)],
  ])('more %s are refused', async (_what, filter, orderBy) => {
    await expect(found(filter, orderBy)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('an order that is no string is refused', async () => {
    await expect(found('', [5] as unknown as string[])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
