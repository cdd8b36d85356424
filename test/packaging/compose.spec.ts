import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadHubConfig } from '../../src/config/index.js';
import { experimentsSchema } from '../../src/experiment/experiment.schema.js';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';

interface Service {
  image?: string;
  build?: { context?: string; dockerfile_inline?: string };
  environment?: Record<string, string>;
  ports?: string[];
  healthcheck?: { test?: string[] };
  volumes?: string[];
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
}

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docker-compose.yml', root), 'utf8');
const { services, volumes } = parse(text) as { services: Record<string, Service>; volumes: Record<string, unknown> };

describe('docker-compose.yml', () => {
  it('has the backends, the worker and the application', () => {
    expect(Object.keys(services)).toEqual(['rabbitmq', 'redis', 'postgres', 'mlflow', 'worker', 'app']);
  });

  it.each(Object.entries(services))(
    '%s is pinned, healthy by a check, and open to this machine only',
    (_name, service) => {
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
      expect(service.healthcheck?.test?.length).toBeGreaterThan(1);
      const base = /^FROM (\S+)$/m.exec(service.build?.dockerfile_inline ?? '')?.[1] ?? service.image;
      expect(base).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z0-9-]+)*$/);
      for (const [, version] of (service.build?.dockerfile_inline ?? '').matchAll(/pip install .*? (\S+)$/gm)) {
        expect(version).toMatch(/==|requirements\.txt/);
      }
      for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
        if (source.startsWith('./')) expect(existsSync(new URL(source, root)), source).toBe(true);
        else expect(volumes).toHaveProperty(source);
      }
    },
  );

  it("keeps Redis from losing jobs, speaks psycopg2 to PostgreSQL and has RabbitMQ's management API", () => {
    expect(services['redis']?.command).toEqual(expect.arrayContaining(['noeviction', 'yes']));
    expect(services['mlflow']?.command?.join(' ')).toContain('postgresql+psycopg2://');
    expect(services['mlflow']?.command).toContain('--allowed-hosts');
    expect(services['rabbitmq']?.image).toMatch(/-management$/);
  });

  it('runs the same MLflow as the tests', () => {
    const requirements = readFileSync(new URL('../support/requirements.txt', import.meta.url), 'utf8');
    const pinned = /^mlflow==(\S+)$/m.exec(requirements)?.[1];
    expect(services['mlflow']?.build?.dockerfile_inline).toContain(`mlflow==${pinned}`);
  });

  it('builds the worker from files that are there, with the Celery of the tests', () => {
    const { context = '', dockerfile_inline: dockerfile = '' } = services['worker']?.build ?? {};
    const sources = [...dockerfile.matchAll(/^COPY (\S+) \S+$/gm)].map(([, source = '']) => `${context}/${source}`);
    expect(sources).toEqual([
      'examples/python-worker/requirements.txt',
      'examples/quickstart/data',
      'examples/python-worker/*.py',
    ]);
    for (const source of sources) {
      const path = source.replace('*', 'weather_tasks');
      expect(existsSync(new URL(path, root)), path).toBe(true);
    }
    const celeryOf = (path: string): string | undefined =>
      /^celery\S+$/m.exec(readFileSync(new URL(path, root), 'utf8'))?.[0];
    expect(celeryOf('examples/python-worker/requirements.txt')).toMatch(/==/);
    expect(celeryOf('examples/python-worker/requirements.txt')).toBe(celeryOf('test/support/requirements.txt'));
    const mlflowOf = (path: string): string | undefined =>
      /^mlflow(?:-skinny)?==(\S+)$/m.exec(readFileSync(new URL(path, root), 'utf8'))?.[1];
    expect(mlflowOf('examples/python-worker/requirements.txt')).toBe(mlflowOf('test/support/requirements.txt'));
  });

  it('builds the application from files that are there, and starts it when everything else is healthy', () => {
    const { app } = services;
    const dockerfile = app?.build?.dockerfile_inline ?? '';
    const sources = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, part = '']) => part.split(' '));
    expect(sources).toContain('examples/digits');
    for (const source of sources) expect(existsSync(new URL(source, root)), source).toBe(true);
    // What is installed is what the tests have.
    expect(dockerfile).toMatch(/^COPY package\.json package-lock\.json \.\/\nRUN npm ci /m);
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(existsSync(new URL(app?.command?.at(-1) ?? '', root))).toBe(true);
    expect(Object.keys(app?.depends_on ?? {}).sort()).toEqual(['mlflow', 'rabbitmq', 'redis', 'worker']);
    for (const name of ['app', 'worker', 'mlflow']) {
      const conditions = Object.values(services[name]?.depends_on ?? {}).map(({ condition }) => condition);
      expect(new Set(conditions)).toEqual(new Set(['service_healthy']));
    }
  });

  it('leads worker and application to the same services inside of its network', () => {
    const { app, worker } = services;
    const env = { RABBITMQ_PASSWORD: 'rabbit-password', REDIS_PASSWORD: 'redis-password' };
    const given = Object.entries(app?.environment ?? {}).map(([key, value]) => [key, filled(value, env)] as const);
    const path = new URL(app?.environment?.['HUB_CONFIG_PATH'] ?? '', root).pathname;
    const schemas = { drivers: builtInDrivers(), experimentsSchema };
    const { plugins, global, experiments } = loadHubConfig({ path, env: Object.fromEntries(given), ...schemas });
    const { CELERY_BROKER_URL, CELERY_RESULT_BACKEND, MLFLOW_TRACKING_URI } = worker?.environment ?? {};
    const brokerUrl = filled(CELERY_BROKER_URL, env);
    expect(plugins['taskqueue']?.config).toMatchObject({
      brokerUrl,
      backendUrl: filled(CELERY_RESULT_BACKEND, env),
    });
    expect(plugins['datastream']?.config).toMatchObject({ url: brokerUrl.replace(/\/\/$/, '') });
    expect(plugins['mlops']?.config).toMatchObject({ mlflowUri: MLFLOW_TRACKING_URI, spool: { dir: '/tmp/hub' } });
    for (const url of [brokerUrl, filled(CELERY_RESULT_BACKEND, env), MLFLOW_TRACKING_URI ?? '']) {
      expect(services).toHaveProperty(new URL(url).hostname);
    }
    // Nothing of the image is its user's to write, so its folders are elsewhere.
    expect(global.workDir).toBe('/tmp/hub/work');
    expect(experiments).toMatchObject([{ name: 'digits', tasks: { train: 'sklearn.train' } }]);
  });
});

/** A text of the file with its variables replaced. */
function filled(value = '', env: Record<string, string> = {}): string {
  return value.replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (_all, name: string, fallback = '') =>
    String(env[name] ?? fallback),
  );
}

describe('config/hub_config.compose.yaml', () => {
  const others = {
    RABBITMQ_USER: 'rabbit-user',
    RABBITMQ_PASSWORD: 'rabbit-password',
    RABBITMQ_PORT: '5671',
    REDIS_PASSWORD: 'redis-password',
    REDIS_PORT: '6378',
    MLFLOW_PORT: '5001',
  };

  it.each([
    ['no variable set', {}],
    ['all variables set', others],
  ])('leads to the services of docker-compose.yml, and has the queue of its worker, with %s', (_case, env) => {
    const path = new URL('config/hub_config.compose.yaml', root).pathname;
    const { plugins, global } = loadHubConfig({ path, env, drivers: builtInDrivers(), experimentsSchema });
    const { mlops, datastream, taskqueue } = plugins;
    const fill = (value = ''): string => filled(value, { ...env, PWD: '/project' });
    const address = (service: string): string => fill(services[service]?.ports?.[0]).replace(/:\d+$/, '');
    // What its worker has, from outside of its network.
    const { CELERY_BROKER_URL: broker, CELERY_RESULT_BACKEND: results } = services['worker']?.environment ?? {};
    const brokerUrl = fill(broker).replace('rabbitmq:5672', address('rabbitmq'));
    const backendUrl = fill(results).replace('redis:6379', address('redis'));

    expect(mlops).toMatchObject({ type: 'mlflow', config: { mlflowUri: `http://${address('mlflow')}` } });
    expect(datastream).toMatchObject({ type: 'rabbitmq', config: { url: brokerUrl.replace(/\/\/$/, '') } });
    expect(taskqueue).toMatchObject({ type: 'celery', config: { brokerUrl, backendUrl } });
    const { RABBITMQ_DEFAULT_USER: user, RABBITMQ_DEFAULT_PASS: password } = services['rabbitmq']?.environment ?? {};
    expect(new URL(brokerUrl)).toMatchObject({ username: fill(user), password: fill(password) });
    expect(new URL(backendUrl).password).toBe(fill(services['redis']?.command?.at(-1)));
    expect(services['worker']?.volumes?.map(fill)).toEqual([`./${global.workDir}:/project/${global.workDir}`]);
  });
});
