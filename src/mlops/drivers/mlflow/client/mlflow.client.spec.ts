import { describe, expect, it } from 'vitest';
import { HubError } from '../../../../core/errors.js';
import type { ConfigIssue } from '../../../../core/validate.js';
import { MLflowClient } from './mlflow.client.js';
import type { MLflowClientOptions } from './mlflow.client.options.js';

/** Whether the registry is spoken to over the connection to the tracking server. Nothing is connected. */
const isShared = async (
  mlflowUri: string,
  registryUri: string,
  options: MLflowClientOptions = {},
): Promise<boolean> => {
  const client = MLflowClient.connect({ ...options, mlflowUri, registryUri });
  await client.close();
  return client.registry === client.transport;
};

describe('MLflowClient.connect', () => {
  it.each([
    ['http://h', 'http://h/'],
    ['http://h:80', 'HTTP://H'],
    ['https://h/mlflow', 'https://h:443/mlflow//'],
    ['http://u:p@h', 'http://h/'],
    ['http://u:p%40@h', 'http://u:p%40@h/'],
  ])('takes %s and %s for one server', async (mlflowUri, registryUri) => {
    expect(await isShared(mlflowUri, registryUri)).toBe(true);
  });

  it.each([
    ['http://h', 'https://h'],
    ['http://h', 'http://h:5000'],
    ['http://h/a', 'http://h/b'],
    ['http://h', 'http://u:p@h'],
    ['http://u:p@h', 'http://u:other@h'],
    ['http://u:p@h', 'http://other:p@h'],
  ])('connects to %s and %s one by one', async (mlflowUri, registryUri) => {
    expect(await isShared(mlflowUri, registryUri)).toBe(false);
  });

  it('names the block in which faults are, when it is told', () => {
    const issuesOf = (options: MLflowClientOptions, where?: string): ConfigIssue[] => {
      try {
        MLflowClient.connect({ mlflowUri: 'http://h', ...options }, where);
      } catch (error) {
        if (HubError.is(error, 'CONFIG_INVALID')) return error.details['issues'] as ConfigIssue[];
        throw error;
      }
      throw new Error('it was taken');
    };
    expect(issuesOf({ connections: 0 }, 'plugins.mlops.config')).toMatchObject([
      { path: 'plugins.mlops.config.connections' },
    ]);
    expect(issuesOf({ auth: { type: 'provider' } }, 'a.b')).toMatchObject([{ path: 'a.b.auth.provider' }]);
    expect(issuesOf({ auth: { type: 'provider' } })).toMatchObject([{ path: 'auth.provider' }]);
  });
});
