import type Joi from 'joi';
import { describe, expect, it } from 'vitest';
import { defineDriver } from '../../../core/driver.js';
import { resolvePluginOptions } from '../../../core/plugin-options.js';
import { BUFFER_DEFAULTS, SPOOL_DEFAULTS } from './buffer/index.js';
import { resolveClientOptions } from './client/mlflow.resolve-options.js';
import { mlflowSchema, type MLflowOptions } from './mlflow.options.js';

const driver = defineDriver<MLflowOptions>({
  type: 'mlops',
  name: 'mlflow',
  label: 'MLflow',
  peers: [],
  schema: mlflowSchema,
  load: () => Promise.reject(new Error('not loaded')),
});
const resolve = (config: object) => resolvePluginOptions('mlops', [driver], { type: 'mlflow', config });

describe('options of the driver mlops/mlflow', () => {
  it("have defaults, and read the seed's spelling", () => {
    expect(resolve({ mlflow_uri: 'http://h:5000', spool: { max_bytes: 2_000_000 } }).config).toMatchObject({
      mlflowUri: 'http://h:5000',
      spool: { enabled: true, dir: '.experiment-hub', maxBytes: 2_000_000 },
    });
  });

  it("have the buffer's defaults where those are written down, and no key that nobody reads", () => {
    const { buffer, spool } = resolve({ mlflowUri: 'http://h' }).config as MLflowOptions;
    const { linger, maxBuffered, maxBufferedBytes } = BUFFER_DEFAULTS;
    expect(buffer).toEqual({ linger, maxBuffered, maxBufferedBytes });
    expect(spool).toEqual({ enabled: true, dir: '.experiment-hub', ...SPOOL_DEFAULTS });
    for (const key of ['maxItems', 'maxBytes']) {
      expect(() => resolve({ mlflowUri: 'http://h', buffer: { [key]: 20_000 } })).toThrow(key);
    }
    expect(() => resolve({ mlflowUri: 'http://h', spool: { durability: 'none' } })).toThrow('durability');
  });

  it('hold what the client takes, once validated', () => {
    const { buffer: _buffer, spool: _spool, ...client } = resolve({ mlflowUri: 'http://h' }).config as MLflowOptions;
    expect(resolveClientOptions(client, {}).mlflowUri).toBe('http://h');
  });

  it('keep their secrets secret', () => {
    const { redactor } = resolve({
      mlflowUri: 'http://user:url-password@h',
      auth: { password: 'basic-password', token: 'bearer-token' },
      tls: { key: 'private-key' },
      headers: { 'X-Key': 'header-value' },
    });
    const text = 'url-password basic-password bearer-token private-key header-value';
    expect(redactor.text(text)).toBe(Array.from({ length: 5 }, () => '[redacted]').join(' '));
  });

  it('give a class instance on as it is', () => {
    const provider = { getToken: () => 'x' };
    const { auth } = resolve({ mlflowUri: 'http://h', auth: { provider } }).config as MLflowOptions;
    expect(auth?.provider).toBe(provider);
  });

  it('are described, each of them', () => {
    const undescribed: string[] = [];
    const walk = (description: Joi.Description, path: string): void => {
      for (const [key, child] of Object.entries((description['keys'] ?? {}) as Record<string, Joi.Description>)) {
        const flags = child.flags as { description?: string } | undefined;
        if (flags?.description === undefined) undescribed.push(`${path}${key}`);
        walk(child, `${path}${key}.`);
      }
    };
    walk(mlflowSchema.describe(), '');
    expect(undescribed).toEqual([]);
  });
});
