import { describe, expect, it } from 'vitest';
import { configErrorOf, configSchemas } from '../../test/support/config-drivers.js';
import { parseHubConfig } from './index.js';

const parse = (text: string, env: Record<string, string> = {}) => parseHubConfig(text, { ...configSchemas, env });
const faults = (text: string) => configErrorOf(() => parse(text)).issues;

describe('parseHubConfig: what it gives', () => {
  it.each(['', '# only a comment\n', 'plugins:\n', 'plugins:\n  mlops:\n', 'plugins:\n  mlops:\n    config:\n'])(
    'fills every default, deeply: %j',
    (text) => {
      const config = parse(text);
      const plugin = { enabled: true, required: true, initTimeout: 15_000, type: 'local' };
      const options = { dataDir: '.experiment-hub', limits: { maxItems: 7 } };
      expect(config).toEqual({
        version: '1',
        global: {
          logLevel: 'log',
          environment: 'development',
          shutdownTimeout: 25_000,
          workDir: '.experiment-hub/work',
        },
        plugins: {
          mlops: { ...plugin, config: options },
          datastream: { ...plugin, config: options },
          taskqueue: { ...plugin, config: options },
        },
        experiments: [],
      });
    },
  );

  it('reads snake_case and camelCase at any depth, and leaves free maps alone', () => {
    const snake = `
global: { log_level: INFO, shutdown_timeout: 5 }
plugins:
  mlops:
    type: remote
    init_timeout: 3
    config: { tracking_uri: "http://h", headers: { X_A_B: 1, camelCase: 2 } }
  datastream:
    config: { data_dir: d, limits: { max_items: 1 }, queues: [{ name: q, max_length: 4 }] }
experiments: [{ name: e, train_task: t }]`;
    const camel = snake.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
    expect(camel).toContain('maxLength');
    const config = parse(snake);
    expect(config).toEqual(parse(camel));
    expect(config.global).toMatchObject({ logLevel: 'log', environment: 'development', shutdownTimeout: 5 });
    expect(config.plugins['mlops']?.config).toMatchObject({ headers: { X_A_B: 1, camelCase: 2 } });
    expect(config.plugins['datastream']?.config).toMatchObject({
      limits: { maxItems: 1 },
      queues: [{ name: 'q', maxLength: 4 }],
    });
    expect(config.experiments).toEqual([{ name: 'e', trainTask: 't' }]);
  });

  it.each([
    ['INFO', 'log'],
    ['WARNING', 'warn'],
    ['Critical', 'fatal'],
    ['debug', 'debug'],
    ['trace', 'verbose'],
  ])('understands the log level %s', (written, level) => {
    expect(parse(`global: { log_level: ${written} }`).global.logLevel).toBe(level);
  });

  it('resolves anchors, aliases and merges', () => {
    const config = parse(`
plugins:
  datastream: { config: &store { data_dir: shared } }
  taskqueue: { config: { <<: *store, limits: { max_items: 2 } } }`);
    expect(config.plugins['taskqueue']?.config).toEqual({ dataDir: 'shared', limits: { maxItems: 2 } });
  });
});

describe('parseHubConfig: faults', () => {
  it('reports all at once, each with path, line, expectation and the likely key', () => {
    const error = configErrorOf(() =>
      parse(
        `global:
  log_levle: info
plugins:
  mlop: {}
  datastream:
    type: locl
  taskqueue:
    required: maybe
    config:
      dataDirr: x
      limits:
        max_items: many
  mlops:
    type: remote
    config:
      port: \${PORT}
      data_dir: d
experiments:
  - nam: x
`,
      ),
    );
    const found = error.issues.map(({ path, line, suggestion }) =>
      [path, line, suggestion].filter((x) => x !== undefined),
    );
    expect(found.sort()).toEqual(
      [
        ['global.log_levle', 2, 'log_level'],
        ['plugins.mlop', 4, 'mlops'],
        ['plugins.datastream.type', 6, 'local'],
        ['plugins.taskqueue.required', 8],
        ['plugins.taskqueue.config.dataDirr', 10, 'dataDir'],
        ['plugins.taskqueue.config.limits.max_items', 12],
        ['plugins.mlops.config.port', 16],
        ['plugins.mlops.config.trackingUri', 15],
        ['plugins.mlops.config.data_dir', 17],
        ['experiments[0].nam', 19, 'name'],
        ['experiments[0].name', 19],
      ].sort(),
    );
    const messageOf = (path: string) => error.issues.find((issue) => issue.path === path)?.message;
    expect(messageOf('plugins.mlop')).toContain('Known here: mlops, datastream, taskqueue.');
    expect(messageOf('plugins.taskqueue.required')).toBe('must be a boolean.');
    expect(messageOf('plugins.mlops.config.data_dir')).toContain('Known here: trackingUri, password, port');
    expect(error.message).toContain('plugins.mlop (line 4): is not a known key.');
    expect(error.message).toContain('Did you mean "mlops"?');
  });

  it('names the known drivers for an unknown one, and says nothing of its options', () => {
    const issues = faults('plugins: { mlops: { type: wandb, config: { project: x } } }');
    expect(issues).toEqual([{ path: 'plugins.mlops.type', line: 1, message: 'must be one of [local, remote].' }]);
  });

  it('refuses keys of a driver that was not chosen', () => {
    expect(faults('plugins: { mlops: { config: { tracking_uri: "http://h" } } }')).toMatchObject([
      { path: 'plugins.mlops.config.tracking_uri', message: expect.stringContaining('Known here: dataDir') as string },
    ]);
  });

  it('refuses both spellings of a key', () => {
    const [issue, ...others] = faults('global:\n  logLevel: info\n  log_level: debug\n');
    expect(others).toEqual([]);
    expect(issue).toMatchObject({ path: 'global.log_level', line: 3 });
    expect(issue?.message).toContain('given twice, as log_level and as logLevel');
  });

  it('reports faults of an ObservML file one by one', () => {
    const issues = faults(`version: "1.0"
global: { log_level: INFO, environment: development }
plugins:
  mlops: { enabled: true, type: mlflow, config: { mlflow_uri: "http://h" } }
  datastream: { enabled: true, type: rabbitmq, config: { host: h } }
experiments:
  - { name: default, module: framework.Experiment, class: Experiment, enabled: true }
`);
    expect(issues.map(({ path, line }) => [path, line])).toEqual([
      ['plugins.mlops.type', 4],
      ['plugins.datastream.type', 5],
      ['experiments[0].module', 7],
      ['experiments[0].class', 7],
      ['experiments[0].enabled', 7],
    ]);
  });

  it.each([
    ['a list instead of a block', '- a\n- b\n'],
    ['a text instead of a block', 'just a text'],
    ['plugins as a list', 'plugins: [mlops]'],
    ['constructor as a plugin type', 'plugins: { constructor: {} }'],
    ['toString as a driver', 'plugins: { mlops: { type: toString } }'],
    ['__proto__ at the top', '__proto__: { enabled: false }'],
    ['__proto__ in a free map', 'plugins: { mlops: { type: remote, config: { headers: { __proto__: { a: 1 } } } } }'],
    ['.nan for a number', 'global: { shutdown_timeout: .nan }'],
    ['.inf for a number', 'global: { shutdown_timeout: .inf }'],
  ])('is a fault: %s', (_name, text) => {
    expect(faults(text).length).toBeGreaterThan(0);
    expect(({} as Record<string, unknown>)['enabled']).toBeUndefined();
  });
});
