import { describe, expect, it } from 'vitest';
import { rejectsWith } from '../../../../core/contract.js';
import { parseModelUri, type ModelUri } from './model-uri.parse.js';

describe('parseModelUri', () => {
  const valid: [uri: string, parsed: ModelUri][] = [
    ['runs:/abc123/model', { kind: 'run', runId: 'abc123', path: 'model' }],
    ['runs:/abc123/a b/c#d/', { kind: 'run', runId: 'abc123', path: 'a b/c#d' }],
    ['runs:/abc123', { kind: 'run', runId: 'abc123', path: '' }],
    ['models:/my model/3', { kind: 'version', name: 'my model', version: '3', path: '' }],
    ['models:/churn ü/12/data/model.pkl', { kind: 'version', name: 'churn ü', version: '12', path: 'data/model.pkl' }],
    ['models:/m@champion', { kind: 'alias', name: 'm', alias: 'champion', path: '' }],
    ['models:/a@b@champion/model.pkl', { kind: 'alias', name: 'a@b', alias: 'champion', path: 'model.pkl' }],
    ['models:/m/latest', { kind: 'latest', name: 'm', path: '' }],
    ['models:/m/Latest/x', { kind: 'latest', name: 'm', path: 'x' }],
    ['models:/m/production', { kind: 'latest', name: 'm', stage: 'Production', path: '' }],
    ['models:/m-0f2a7a03', { kind: 'loggedModel', modelId: 'm-0f2a7a03', path: '' }],
    ['models:/m-0f2a7a03/data/x', { kind: 'loggedModel', modelId: 'm-0f2a7a03', path: 'data/x' }],
    ['models:/m-3/1', { kind: 'version', name: 'm-3', version: '1', path: '' }],
    ['s3://bucket/a', { kind: 'place', uri: 's3://bucket/a' }],
    ['mlflow-artifacts:/1/x', { kind: 'place', uri: 'mlflow-artifacts:/1/x' }],
  ];
  it.each(valid)('%s', (uri, parsed) => {
    expect(parseModelUri(uri)).toStrictEqual(parsed);
  });

  const invalid = [
    '',
    'model',
    '/abs/model',
    'runs:/',
    'runs:/a b/x',
    'runs:/abc/../../etc',
    'runs:/abc/a//b',
    'models:/',
    'models:/name',
    'models:/name/',
    'models:/@alias',
    'models:/name/nothing',
    'models:/name@',
    'models:/name/1/../2',
    'models:/m-1f/../x',
    3,
    null,
  ];
  it.each(invalid)('%j is INVALID_ARGUMENT', async (uri) => {
    await rejectsWith(async () => parseModelUri(uri), 'INVALID_ARGUMENT');
  });
});
