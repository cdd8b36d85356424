import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataStreamPlugin } from '../../src/index.js';
import { neededService } from '../support/needed-service.js';
import { run } from '../support/run-command.js';
import { ApiApp, TOKEN } from './api-app.js';

const { address: python, missing, note } = neededService('python');

/** Everything but that a request which fits the schema is also accepted: a cursor or a key can fit and still mean nothing. */
const CHECKS = ['--checks', 'all', '--exclude-checks', 'positive_data_acceptance'];

/** How long a run may take, in ms; when idle, a third of the first is enough. */
const PATIENCE = 240_000;

// https://schemathesis.readthedocs.io : requests made from the document, and answers compared with it.
describe.skipIf(missing)(`schemathesis${note}`, { timeout: PATIENCE + 30_000 }, () => {
  let folder: string;
  let api: ApiApp | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hub-schemathesis-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    { adapter: 'express', phases: 'examples,coverage,fuzzing' },
    { adapter: 'fastify', phases: 'fuzzing' },
  ] as const)('finds no fault of the server and no breach of the document on $adapter', async ({ adapter, phases }) => {
    api = await ApiApp.open({
      adapter,
      api: { tasks: ['echo'] },
      tasks: { echo: ({ kwargs }) => kwargs },
      configure: (app) => {
        // What does not fit may be long.
        if (adapter === 'express') (app as NestExpressApplication).useBodyParser('json', { limit: '1mb' });
      },
    });
    try {
      await api.app.get(DataStreamPlugin).createQueue('jobs');
      const { runId, taskId } = (await api.post('/api/experiments/toy/train')).body;
      // Ends with the training.
      await api.get(`/api/experiments/toy/runs/${String(runId)}/progress`);
      // With names that exist, most requests come through to the plugins.
      const config = join(folder, `${adapter}.toml`);
      const known = { name: 'toy', runId, taskId, queue: 'jobs' };
      const lines = Object.entries(known).map(([name, value]) => `"path.${name}" = ${JSON.stringify(value)}`);
      await writeFile(config, `[parameters]\n${lines.join('\n')}\n`);
      const args = ['--config-file', config, 'run', `${api.url}/api/openapi.json`];
      const limits = ['--seed', '1', '--max-examples', '10', '--phases', phases, '--continue-on-failure'];
      const output = await run(
        join(dirname(python), 'schemathesis'),
        [...args, '-H', `Authorization: Bearer ${TOKEN}`, ...CHECKS, ...limits, '--no-color', '--warnings', 'off'],
        { timeout: PATIENCE, cwd: folder, env: { ...process.env, PYTHONUTF8: '1' } },
      );
      expect(output).toMatch(/Tested: 31\b/);
      expect(output).toMatch(/\d{3,} generated/);
    } finally {
      await api.close();
    }
  });
});
