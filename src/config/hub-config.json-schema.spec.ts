import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configSchemas } from '../../test/support/config-drivers.js';
import { hubConfigJsonSchema } from './index.js';

const schema = hubConfigJsonSchema(configSchemas);
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
  validateFormats: false,
});
const validate = ajv.compile(schema);
const accepts = (text: string): boolean => validate(parse(text));

describe('hubConfigJsonSchema', () => {
  it.each([
    'version: 1',
    'version: "1"',
    'global: { log_level: INFO, shutdown_timeout: 5 }',
    'global: { logLevel: warn, shutdownTimeout: "${T:-5}" }',
    'global:\nplugins:\nexperiments:\n',
    'plugins:\n  mlops:\n',
    'plugins:\n  mlops:\n    config:\n',
    'plugins: { mlops: { config: { data_dir: x, limits: { max_items: 3 }, queues: [{ name: q, max_length: 1 }] } } }',
    'plugins: { mlops: { type: local, enabled: "${ON}", config: { dataDir: x, limits: { strict: "${S}" } } } }',
    'plugins: { mlops: { type: remote, config: { tracking_uri: "http://h", port: "${PORT}", headers: { a_b: 1 } } } }',
    'plugins: { mlops: { type: remote, config: { trackingUri: "http://${H}", password: "${file:/x}", mode: "${M}" } } }',
    'plugins: { mlops: { type: "${DRIVER:-local}", config: { anything: 1 } } }',
    'experiments: [{ name: e, train_task: t }]',
  ])('accepts %s', (text) => {
    expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    'plugin: {}',
    'global: { log_levle: info }',
    'global: { log_level: loud }',
    'global: { log_level: info, logLevel: info }',
    'global: { shutdown_timeout: soon }',
    'global: { shutdown_timeout: 0 }',
    'plugins: { mlop: {} }',
    'plugins: { mlops: { type: locl } }',
    'plugins: { mlops: { enabled: "sometimes" } }',
    'plugins: { mlops: { config: { tracking_uri: "http://h" } } }',
    'plugins: { mlops: { type: remote, config: {} } }',
    'plugins: { mlops: { type: remote, config: { tracking_uri: x, port: "80 ${X}" } } }',
    'plugins: { mlops: { type: remote, config: { tracking_uri: x, mode: slow } } }',
    'plugins: { mlops: { type: remote, config: { tracking_uri: x, data_dir: d } } }',
    'plugins: { mlops: { config: { limits: { max_items: 1.5 } } } }',
    'plugins: { mlops: { config: { queues: [{ max_length: 1 }] } } }',
    'experiments: {}',
    'experiments: [{}]',
  ])('refuses %s', (text) => {
    expect(accepts(text)).toBe(false);
  });

  it('keeps descriptions and defaults for completion, in both spellings', () => {
    const text = JSON.stringify(schema);
    for (const key of ['dataDir', 'data_dir']) {
      expect(text).toContain(
        `"${key}":{"type":"string","description":"Folder.","default":".experiment-hub","minLength":1}`,
      );
    }
  });
});
