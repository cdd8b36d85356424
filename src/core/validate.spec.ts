import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { schemaDriver } from '../../test/support/config-drivers.js';
import { HubError } from './errors.js';
import { nearest } from './nearest.js';
import { resolvePluginOptions } from './plugin-options.js';
import { acceptSnakeCase, configError, joinPath, validateOptions } from './validate.js';

const caught = (work: () => unknown): HubError => {
  try {
    work();
  } catch (error) {
    if (HubError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('validateOptions', () => {
  const schema = Joi.object({ port: Joi.number().default(80), host: Joi.string().required(), mode: Joi.valid('fast') });

  it('returns the value with defaults', () => {
    expect(validateOptions(schema, { host: 'h' }, { what: 'x' })).toEqual({ host: 'h', port: 80 });
  });

  it('reports all faults at once, below the name of the block', () => {
    const error = caught(() =>
      validateOptions(schema, { prot: 1, port: 'x', mode: 'fst' }, { what: 'plugins.x', plugin: 'x', driver: 'y' }),
    );
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', plugin: 'x', driver: 'y' });
    expect(error.details['issues']).toMatchObject([
      { path: 'plugins.x.port', message: 'must be a number.' },
      { path: 'plugins.x.host', message: 'is required.' },
      { path: 'plugins.x.mode', message: 'must be [fast].', suggestion: 'fast' },
      { path: 'plugins.x.prot', suggestion: 'port' },
    ]);
    expect(caught(() => validateOptions(schema, 3, { what: '' })).message).toContain('(top): must be of type object');
  });
});

describe('acceptSnakeCase', () => {
  const schema = acceptSnakeCase(
    acceptSnakeCase(
      Joi.object({
        aKey: Joi.number(),
        list: Joi.array().items(Joi.object({ bKey: Joi.number() })),
        either: Joi.alternatives(Joi.string(), Joi.object({ cKey: Joi.number() })),
        map: Joi.object().pattern(Joi.string(), Joi.object({ dKey: Joi.number() })),
        free: Joi.object().unknown(),
      }),
    ),
  );

  it('reads known keys in either spelling at any depth, and free keys as they are', () => {
    const value = {
      a_key: 1,
      list: [{ b_key: 1 }],
      either: { c_key: 1 },
      map: { m_m: { d_key: 1 } },
      free: { e_e: 1 },
    };
    expect(validateOptions(schema, value, { what: '' })).toEqual({
      aKey: 1,
      list: [{ bKey: 1 }],
      either: { cKey: 1 },
      map: { m_m: { dKey: 1 } },
      free: { e_e: 1 },
    });
  });

  it('refuses both spellings', () => {
    const error = caught(() => validateOptions(schema, { list: [{ b_key: 1, bKey: 1 }] }, { what: 'o' }));
    expect(error.details['issues']).toMatchObject([{ path: 'o.list[0].b_key' }]);
  });
});

describe('resolvePluginOptions', () => {
  const drivers = [
    schemaDriver('mlops', 'local', { dataDir: Joi.string().default('d') }),
    schemaDriver('mlops', 'remote', { apiKey: Joi.string().meta({ secret: true }) }),
  ];

  it('fills defaults and finds the driver', () => {
    const { enabled, required, initTimeout, driver, config } = resolvePluginOptions('mlops', drivers);
    expect([enabled, required, initTimeout, driver.name, config]).toEqual([
      true,
      true,
      15_000,
      'local',
      { dataDir: 'd' },
    ]);
  });

  it('makes a redactor of the secrets', () => {
    const { redactor } = resolvePluginOptions('mlops', drivers, { type: 'remote', config: { api_key: 'canary' } });
    expect(redactor.text('x canary y')).toBe('x [redacted] y');
  });

  it('tells the known drivers for an unknown one, and faults of the chosen one only', () => {
    expect(caught(() => resolvePluginOptions('mlops', drivers, { type: 'toString' }))).toMatchObject({
      code: 'DRIVER_UNKNOWN',
      details: { known: ['local', 'remote'] },
    });
    const error = caught(() => resolvePluginOptions('mlops', drivers, { config: { apiKey: 'canary', datadir: 'x' } }));
    expect(error.details['issues']).toMatchObject([
      { path: 'plugins.mlops.config.apiKey' },
      { path: 'plugins.mlops.config.datadir', suggestion: 'dataDir' },
    ]);
    expect(JSON.stringify(error)).not.toContain('canary');
  });
});

describe('messages', () => {
  it('puts path, line and suggestion in order', () => {
    const error = configError([{ path: 'a.b', line: 3, message: 'is wrong.', suggestion: 'c' }], { file: 'f.yaml' });
    expect(error.message).toBe(
      'the configuration file f.yaml has a fault:\n  - a.b (line 3): is wrong. Did you mean "c"?',
    );
    expect(joinPath(['a', 0, 'b', 1])).toBe('a[0].b[1]');
  });

  it.each([
    ['dataDri', 'dataDir'],
    ['data_dir', 'dataDir'],
    ['Local', 'local'],
    ['locl', 'local'],
    ['prefetchCont', 'prefetchCount'],
    ['zzzzz', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('suggests for %s', (word, expected) => {
    expect(nearest(word, ['dataDir', 'local', 'prefetchCount'])).toBe(expected);
  });
});
