import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { configErrorOf, configSchemas, schemaDriver } from '../../test/support/config-drivers.js';
import { resolvePluginOptions } from '../core/plugin-options.js';
import { parseHubConfig, validateHubConfig, type HubOptions } from './index.js';

const validate = (value: unknown) => validateHubConfig(value as HubOptions, configSchemas);

describe('validateHubConfig', () => {
  it('takes the same object as the YAML, and its own result again', () => {
    const text = 'global: { log_level: info }\nplugins: { datastream: { required: false, config: { data_dir: d } } }';
    const fromYaml = parseHubConfig(text, { ...configSchemas, env: {} });
    const fromObject = validate({
      global: { logLevel: 'info' },
      plugins: { datastream: { required: false, config: { dataDir: 'd' } } },
    });
    expect(fromObject).toEqual(fromYaml);
    expect(validate(fromObject)).toEqual(fromObject);
    expect(validate(undefined)).toEqual(validate({}));
  });

  it('does not expand expressions and does not change what it was given', () => {
    const given = { plugins: { mlops: { config: { data_dir: '${HOME}' } } } };
    const copy = structuredClone(given);
    expect(validate(given).plugins['mlops']?.config).toMatchObject({ dataDir: '${HOME}' });
    expect(given).toEqual(copy);
  });

  it.each([
    ['a text', 'x'],
    ['a list', []],
    ['a number', 3],
    ['a cycle', Object.assign({}, { global: {} as object }, { plugins: cyclic() })],
    ['a __proto__ key', JSON.parse('{"plugins":{"__proto__":{"enabled":false}}}')],
    ['a constructor key', { plugins: { constructor: { prototype: {} } } }],
    ['an accessor that throws', Object.defineProperty({}, 'global', { enumerable: true, get: () => cyclicThrow() })],
  ])('answers %s with CONFIG_INVALID and nothing else', (_name, value) => {
    expect(configErrorOf(() => validate(value)).issues.length).toBeGreaterThan(0);
  });

  it('needs a type where a plugin type has no local driver, and leaves it out when it is not named', () => {
    const schemas = { ...configSchemas, drivers: [schemaDriver('features', 'feast', {})] };
    expect(validateHubConfig({}, schemas).plugins).toEqual({});
    const { issues } = configErrorOf(() => validateHubConfig({ plugins: { features: {} } }, schemas));
    expect(issues).toEqual([{ path: 'plugins.features.type', message: 'is required.' }]);
  });
});

describe('secrets', () => {
  const CANARY = 'canary+Secret/42';
  const everywhere = (error: unknown): string =>
    [inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), String((error as Error).stack)].join('\n');

  it('never shows one in an error, whatever is wrong with it', () => {
    const quoting = schemaDriver('mlops', 'remote', {
      password: Joi.string()
        .meta({ secret: true })
        .custom((value: string) => {
          throw new Error(`bad password ${value}`);
        }),
      token: Joi.string().valid('a').meta({ secret: true }).messages({ 'any.only': 'is not {#value}, or {:[.]}' }),
      url: Joi.string().pattern(/^x$/),
      port: Joi.number(),
      byPattern: Joi.string().pattern(/^x/, 'x'),
    });
    const secrets = {
      password: CANARY,
      token: CANARY,
      url: `amqp://u:${CANARY}@h`,
      port: CANARY,
      by_pattern: CANARY,
      pasword: CANARY,
    };
    const options = { plugins: { mlops: { type: 'remote', config: secrets } } };
    const error = configErrorOf(() => validateHubConfig(options, { ...configSchemas, drivers: [quoting] }));
    expect(error.issues.map(({ path }) => path.split('.').at(-1)).sort()).toEqual(Object.keys(secrets).sort());
    expect(everywhere(error)).not.toContain('canary');
    expect(error.cause).toBeUndefined();
  });

  it('never shows one in an error of a file, and none that a file held', () => {
    const text = `plugins:\n  mlops:\n    type: remote\n    config:\n      password: "\${PW}"\n      port: "\${PW}"\n`;
    const error = configErrorOf(() => parseHubConfig(text, { ...configSchemas, env: { PW: CANARY } }));
    expect(error.issues).toHaveLength(3);
    expect(everywhere(error)).not.toContain('canary');
  });

  it('knows what ${file:…} read as a secret under any key, also after a second validation', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hub-secret-'));
    try {
      writeFileSync(join(folder, 'key'), `${CANARY}\n`);
      const text = `plugins: { mlops: { type: remote, config: { tracking_uri: "http://h", headers: { Key: "\${file:${folder}/key}" } } } }`;
      const config = validateHubConfig(parseHubConfig(text, { ...configSchemas, env: {} }), configSchemas);
      const { redactor } = resolvePluginOptions('mlops', configSchemas.drivers, config.plugins['mlops']);
      expect(redactor.text(`sent ${CANARY} and ${encodeURIComponent(CANARY)}`)).toBe('sent [redacted] and [redacted]');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function cyclic(): object {
  const value: Record<string, unknown> = {};
  value['mlops'] = { config: value };
  return value;
}

function cyclicThrow(): never {
  throw new Error('canary');
}
