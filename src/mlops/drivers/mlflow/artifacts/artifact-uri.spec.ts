import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseArtifactUri } from './artifact-uri.js';

const origin = 'https://tracking.example:8443/prefix';
const at = (uri: string, rules = {}) => parseArtifactUri(uri, { origin, ...rules });

describe('parseArtifactUri', () => {
  it('finds the path below the proxy', () => {
    const segments = ['1', 'ab c', '%20', 'artifacts'];
    for (const uri of [
      'mlflow-artifacts:/1/ab c/%20/artifacts',
      'mlflow-artifacts:///1/ab c//%20/artifacts/',
      'mlflow-artifacts://tracking.example:8443/1/ab c/%20/artifacts',
      'MLFLOW-ARTIFACTS://Tracking.Example:8443/1/ab c/%20/artifacts',
      'https://tracking.example:8443/prefix/api/2.0/mlflow-artifacts/artifacts/1/ab c/%20/artifacts',
    ]) {
      expect(at(uri), uri).toEqual({ kind: 'proxy', uri, segments });
    }
    expect(at('mlflow-artifacts:/')).toMatchObject({ kind: 'proxy', segments: [] });
  });

  it('a host other than that of the server is never gone to', () => {
    for (const uri of [
      'mlflow-artifacts://evil.example:8443/1',
      'mlflow-artifacts://tracking.example/1',
      'mlflow-artifacts://user:pass@tracking.example:8443/1',
      'mlflow-artifacts://tracking.example:8443@evil.example/1',
      'http://tracking.example:8443/api/2.0/mlflow-artifacts/artifacts/1',
      'https://evil.example/api/2.0/mlflow-artifacts/artifacts/1',
      'https://tracking.example:8443/somewhere/else',
      'mlflow-artifacts://tracking.example:port/1',
    ]) {
      expect(at(uri), uri).toMatchObject({ kind: 'elsewhere', serverReads: false });
    }
    expect(parseArtifactUri('mlflow-artifacts://tracking.example:8443/1')).toMatchObject({ kind: 'elsewhere' });
  });

  it('whatever stands in front of it, no other host is taken for the server', () => {
    fc.assert(
      fc.property(fc.webAuthority(), fc.webPath(), (authority, path) => {
        fc.pre(authority.toLowerCase() !== 'tracking.example:8443');
        expect(at(`mlflow-artifacts://${authority}${path}`).kind).toBe('elsewhere');
      }),
    );
  });

  it('dot segments do not leave the root', () => {
    for (const uri of ['mlflow-artifacts:/1/../../etc', 'mlflow-artifacts:/./1', 'mlflow-artifacts:/..']) {
      expect(at(uri), uri).toMatchObject({ kind: 'elsewhere', serverReads: false });
    }
  });

  it('stores of clouds are left to the server, with a hint', () => {
    const stores = {
      s3: 'Amazon S3',
      gs: 'Google Cloud',
      wasbs: 'Azure Blob',
      dbfs: 'Databricks',
      hdfs: 'HDFS',
    };
    for (const [scheme, name] of Object.entries({
      ...stores,
      odd: 'of the kind odd:',
      constructor: 'of the kind constructor:',
    })) {
      const root = at(`${scheme}://bucket/1/run/artifacts`);
      expect(root, scheme).toMatchObject({ kind: 'elsewhere', serverReads: true });
      expect(root).toHaveProperty('reason', expect.stringContaining(name));
      expect(root).toHaveProperty('reason', expect.stringContaining('--artifacts-destination'));
    }
  });

  it('disks are gone to where it is allowed only', () => {
    for (const uri of ['file:///srv/ml%20runs/1', '/srv/ml runs/1']) {
      expect(at(uri)).toMatchObject({ kind: 'elsewhere', serverReads: true });
      expect(at(uri)).toHaveProperty('reason', expect.stringContaining('allowFileUris'));
      expect(at(uri, { allowFileUris: true })).toEqual({ kind: 'folder', uri, folder: '/srv/ml runs/1' });
      expect(at(uri, { allowFileUris: ['/srv'] })).toMatchObject({ kind: 'folder' });
      expect(at(uri, { allowFileUris: ['/srv/ml', '/etc'] })).toMatchObject({ kind: 'elsewhere' });
    }
    expect(at('/srv/../etc', { allowFileUris: ['/srv'] })).toMatchObject({ kind: 'elsewhere' });
    expect(at('file://host/srv', { allowFileUris: true })).toMatchObject({ kind: 'elsewhere' });
    expect(at('mlruns/1', { allowFileUris: true })).toMatchObject({ kind: 'elsewhere' });
  });

  it('throws for no text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl()), (uri) => {
        expect(['proxy', 'folder', 'elsewhere']).toContain(at(uri, { allowFileUris: true }).kind);
      }),
    );
  });
});
