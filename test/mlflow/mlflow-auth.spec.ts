import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rejectsWith } from '../../src/core/contract.js';
import type { MLOpsPlugin } from '../../src/mlops/mlops.plugin.js';
import { MLflowServer, type MLflowServerOptions } from '../support/mlflow-server.js';
import { mlflowPlugin } from '../support/open-mlflow.js';
import { python, skipReason } from './mlflow-python.js';

const TIMEOUT = 240_000;
/** What the server's first user is made with; MLflow brings no password of its own any more. */
const ADMIN = { username: 'admin', password: 'r1ght-s3cret' };
/** Must not be seen anywhere. */
const WRONG = 'wr0ng-s3cret';

describe.skipIf(python === undefined)(`the MLflow driver and servers that refuse it${skipReason}`, () => {
  let folder: string;
  let server: MLflowServer;
  let plugins: MLOpsPlugin[] = [];

  /** A server in a folder of its own for the tests of the surrounding `describe`. */
  const serve = (options: MLflowServerOptions) => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'mlflow-auth-'));
      server = await MLflowServer.start(python ?? '', folder, options);
    }, TIMEOUT);
    afterEach(async () => {
      for (const plugin of plugins) await plugin.shutdown();
      plugins = [];
    });
    afterAll(async () => {
      await server?.stop();
      await rm(folder, { recursive: true, force: true });
    });
  };
  const plugin = (options: { mlflowUri?: string; auth?: object } = {}): MLOpsPlugin => {
    const dir = join(folder, `spool-${plugins.length}`);
    const opened = mlflowPlugin({ mlflowUri: server.url, spool: { dir }, ...options });
    plugins.push(opened);
    return opened;
  };
  /** Whether it opens or not, says why it cannot be used: by initialize or by the first call, and by its health. */
  const complaints = async (refused: MLOpsPlugin, code: 'UNAUTHORIZED' | 'UNAVAILABLE'): Promise<string> => {
    const error = await rejectsWith(async () => {
      await refused.initialize();
      await refused.createExperiment('refused');
    }, code);
    const health = await refused.healthCheck();
    expect(health.healthy).toBe(false);
    return `${error.message} ${error.stack} ${JSON.stringify(error)} ${JSON.stringify(health)}`;
  };

  describe('a server with basic authentication', () => {
    const env = { MLFLOW_FLASK_SERVER_SECRET_KEY: 'for tests only', MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN.password };
    serve({ args: ['--app-name', 'basic-auth'], env });

    it('right credentials are taken', async () => {
      const right = plugin({ auth: ADMIN });
      await right.initialize();
      expect(await right.healthCheck()).toMatchObject({ healthy: true });
      const { runId } = await right.startRun(await right.createExperiment('mine'));
      await right.logMetric(runId, 'm', 1);
      await right.logText(runId, 'text', 'a.txt');
      expect((await right.getRun(runId)).metrics['m']?.value).toBe(1);
      expect((await right.readArtifactBytes(runId, 'a.txt')).toString()).toBe('text');
    });

    it('right credentials in the address are taken, and not shown', async () => {
      const url = new URL(server.url);
      Object.assign(url, ADMIN);
      const right = plugin({ mlflowUri: url.href });
      await right.initialize();
      const health = await right.healthCheck();
      expect(health.healthy).toBe(true);
      expect(JSON.stringify(health)).not.toContain(ADMIN.password);
      const error = await rejectsWith(() => right.getExperiment('4711'), 'NOT_FOUND');
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(ADMIN.password);
    });

    it('wrong ones are UNAUTHORIZED, and health says so', async () => {
      const said = await complaints(plugin({ auth: { ...ADMIN, password: WRONG } }), 'UNAUTHORIZED');
      expect(said).toMatch(/401|credentials/);
      expect(said).not.toContain(WRONG);
      expect(said).not.toContain(Buffer.from(`admin:${WRONG}`).toString('base64'));
    });

    it('wrong ones in the address are UNAUTHORIZED, and not shown', async () => {
      const url = new URL(server.url);
      Object.assign(url, { ...ADMIN, password: WRONG });
      expect(await complaints(plugin({ mlflowUri: url.href }), 'UNAUTHORIZED')).not.toContain(WRONG);
    });

    it('a bearer token, which this server does not know, is UNAUTHORIZED, and not shown', async () => {
      expect(await complaints(plugin({ auth: { token: WRONG } }), 'UNAUTHORIZED')).not.toContain(WRONG);
    });

    it('none are UNAUTHORIZED', async () => {
      expect(await complaints(plugin(), 'UNAUTHORIZED')).toMatch(/401|credentials/);
    });
  });

  describe('a server that does not allow the host name', () => {
    serve({ args: ['--allowed-hosts', 'nothing.example'] });

    it('is UNAVAILABLE with the option to set, in the error and in the health', async () => {
      const refused = plugin();
      const said = await complaints(refused, 'UNAVAILABLE');
      expect(said).toContain('--allowed-hosts');
      expect(JSON.stringify(await refused.healthCheck())).toContain('--allowed-hosts');
    });
  });
});
