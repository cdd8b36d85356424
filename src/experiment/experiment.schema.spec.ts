import { describe, expect, it } from 'vitest';
import { experimentsSchema, resolveExperiment } from './experiment.schema.js';
import type { ExperimentDefinition } from './experiment.types.js';

const tasks = { train: 't', predict: 'p' };

describe('experiment definitions', () => {
  it('fills in defaults, and is stable under a second pass', () => {
    const resolved = resolveExperiment({ name: 'churn', tasks, policy: { threshold: 0.8, window: 50 } });
    expect(resolved).toMatchObject({
      enabled: true,
      model: 'churn',
      direction: 'max',
      promotion: { mode: 'first-only', minImprovement: 0 },
      policy: { minSamples: 50, cooldown: 3_600_000 },
      timeouts: { train: 1_800_000 },
    });
    expect(resolveExperiment(resolved)).toEqual(resolved);
    expect(resolveExperiment({ name: 'churn', tasks: { ...tasks, evaluate: 'e' } }).promotion.mode).toBe('gate');
  });

  it.each([
    [{ name: 'a b', tasks }, /letters, digits/],
    [{ name: 'a' }, /tasks: is required/],
    [{ name: 'a', tasks, streams: { input: 'q', output: 'q' } }, /streams.output/],
    [{ name: 'a', tasks, promotion: { mode: 'gate' } }, /needs tasks.evaluate/],
    [{ name: 'a', tasks, policy: { threshold: 1, window: 5, minSamples: 6 } }, /minSamples/],
    [{ name: 'a', tasks, class: 'Churn' }, /never imported from configuration/],
    [{ name: 'a', tasks, module: 'experiments.churn' }, /never imported from configuration/],
  ])('refuses %j', (definition, message) => {
    expect(() => resolveExperiment(definition as ExperimentDefinition)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) as string }),
    );
  });

  it('refuses the same name twice in a list', () => {
    expect(
      experimentsSchema.validate([
        { name: 'a', tasks },
        { name: 'a', tasks },
      ]).error?.message,
    ).toContain('duplicate');
  });
});
