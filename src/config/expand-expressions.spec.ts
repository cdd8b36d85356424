import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configErrorOf, configSchemas } from '../../test/support/config-drivers.js';
import { parseHubConfig } from './index.js';

const parse = (text: string, env: Record<string, string | undefined> = {}) =>
  parseHubConfig(text, { ...configSchemas, env });
const remote = (config: string) =>
  `plugins:\n  mlops:\n    type: remote\n    config:\n      tracking_uri: http://h\n      ${config}\n`;
const options = (config: string, env: Record<string, string | undefined> = {}) =>
  parse(remote(config), env).plugins['mlops']?.config as Record<string, unknown>;
const fault = (config: string, env: Record<string, string | undefined> = {}) => {
  const { issues } = configErrorOf(() => parse(remote(config), env));
  expect(issues).toHaveLength(1);
  return issues[0];
};
const header = (text: string, env: Record<string, string | undefined> = {}) =>
  (options(`headers: { h: ${text} }`, env)['headers'] as Record<string, unknown>)['h'];

describe('${VAR}', () => {
  it('is a number where an unquoted value reads as one and the key wants one', () => {
    expect(options('port: ${PORT}', { PORT: '5000' })['port']).toBe(5000);
    expect(fault('port: ${PORT}', { PORT: '99999' })).toMatchObject({ line: 6, path: 'plugins.mlops.config.port' });
    expect(fault('port: ${PORT}', { PORT: 'http' })?.message).toBe('must be a number.');
  });

  it('stays text where the key wants a text, to the letter', () => {
    const environment = (value: string) => parse('global:\n  environment: ${X}\n', { X: value }).global.environment;
    for (const value of ['0123', '1e5', 'true', 'null', '12345678901234567890', '~', '0x1F']) {
      expect(environment(value)).toBe(value);
    }
  });

  it('stays text through aliases and merges too', () => {
    const config = parse(
      'plugins:\n  mlops: {}\n  datastream:\n    config: &b\n      data_dir: ${N}\n' +
        '  taskqueue:\n    config: { <<: *b, limits: { max_items: 1 } }\n',
      { N: '042' },
    );
    expect(config.plugins['datastream']?.config).toMatchObject({ dataDir: '042' });
    expect(config.plugins['taskqueue']?.config).toMatchObject({ dataDir: '042' });
  });

  it('is read as YAML reads scalars in free maps, unless it is quoted or part of a text', () => {
    const list = (text: string, X: string) => options(`headers:\n        h: ${text}`, { X })['headers'];
    expect(list('${X}', '12')).toEqual({ h: 12 });
    expect(list('${X}', 'true')).toEqual({ h: true });
    expect(list('${X}', '0.5')).toEqual({ h: 0.5 });
    expect(list('"${X}"', '12')).toEqual({ h: '12' });
    expect(list("'${X}'", '12')).toEqual({ h: '12' });
    expect(list('${X}0', '12')).toEqual({ h: '120' });
    expect(list('${X}', '')).toEqual({ h: '' });
  });

  it('never becomes structure', () => {
    const evil = 'x\n  admin: true\nenabled: false # {a: 1} *b !c &d';
    expect(header('"${X}"', { X: evil })).toBe(evil);
    expect(options('headers:\n        h: ${X}', { X: evil })['headers']).toEqual({ h: evil });
    expect(options('headers:\n        h: ${X}', { X: '{a: 1}' })['headers']).toEqual({ h: '{a: 1}' });
  });

  it('is expanded once', () => {
    expect(header('"${A}"', { A: '${B}', B: 'no' })).toBe('${B}');
    expect(header('"${A:-x}${A}"', { A: '$${', B: 'no' })).toBe('$${$${');
  });

  it('takes the default when the variable is unset or empty', () => {
    expect(header('"${A:-d e:f}"')).toBe('d e:f');
    expect(header('"${A:-d}"', { A: '' })).toBe('d');
    expect(header('"${A:-}"')).toBe('');
    expect(header('"${A:-d}"', { A: 'set' })).toBe('set');
  });

  it('is not expanded in keys', () => {
    expect(options('headers: { "${A}": 1 }', { A: 'x' })['headers']).toEqual({ '${A}': 1 });
  });

  it('names a missing variable, with path and line, and nothing else of that place', () => {
    expect(fault('port: ${HUB_NOT_SET}')).toEqual({
      path: 'plugins.mlops.config.port',
      line: 6,
      message:
        'needs the environment variable HUB_NOT_SET, which is not set. Set it, or write ${HUB_NOT_SET:-default}.',
    });
  });

  it('names every missing variable of the file at once', () => {
    const { issues } = configErrorOf(() => parse('global:\n  environment: ${A}-${B}\nexperiments:\n  - name: ${C}\n'));
    expect(issues.map(({ path, line }) => [path, line])).toEqual([
      ['global.environment', 2],
      ['global.environment', 2],
      ['experiments[0].name', 4],
    ]);
  });

  it.each(['${}', '${A-b}', '${a b}', '${1A}', '${A:?x}', '${A', '${env:A}'])('refuses %s', (text) => {
    expect(fault(`headers: { h: "${text}" }`, { A: 'x' })?.message).toMatch(/none of|without \}/);
  });

  it('knows no inherited properties of the environment object', () => {
    expect(fault('headers: { h: "${constructor}" }')?.message).toContain('environment variable constructor');
  });

  it('leaves $${ as ${, and other dollars alone', () => {
    expect(header('"$${A} $5 $A $$ a$"', { A: 'no' })).toBe('${A} $5 $A $$ a$');
  });
});

describe('${file:…}', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-secret-'));
    writeFileSync(join(folder, 'pw'), 'abc-1\n');
    writeFileSync(join(folder, 'number'), '123\r\n');
    writeFileSync(join(folder, 'large'), 'x'.repeat(64 * 1024 + 1));
    writeFileSync(join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));
    symlinkSync(join(folder, 'pw'), join(folder, 'link'));
    mkdirSync(join(folder, 'sub'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is the text of the file without its last line break, also through a link', () => {
    expect(options(`password: \${file:${folder}/pw}`)['password']).toBe('abc-1');
    expect(options(`password: \${file:${folder}/link}`)['password']).toBe('abc-1');
  });

  it('stays text, and can be a part of a value', () => {
    expect(options(`headers:\n        h: \${file:${folder}/number}`)['headers']).toEqual({ h: '123' });
    expect(header(`"a:\${file:${folder}/number}@h"`)).toBe('a:123@h');
  });

  it.each([
    ['a relative path', 'config/pw', 'not an absolute path'],
    ['a climbing path', '../pw', 'not an absolute path'],
    ['nothing', '', 'not an absolute path'],
  ])('refuses %s', (_name, path, reason) => {
    expect(fault(`headers: { h: "\${file:${path}}" }`)?.message).toContain(reason);
  });

  it.each([
    ['a missing file', 'none', 'ENOENT'],
    ['a folder', 'sub', 'not a regular file'],
    ['a pipe', 'pipe', 'not a regular file'],
    ['more than 64 KiB', 'large', 'larger than 65536 bytes'],
    ['what is no UTF-8', 'binary', 'UTF-8'],
  ])('refuses %s', (_name, file, reason) => {
    expect(fault(`headers: { h: "\${file:${join(folder, file)}}" }`)?.message).toContain(reason);
  });

  it('refuses an endless device', () => {
    expect(fault('headers: { h: "${file:/dev/zero}" }')?.message).toContain('not a regular file');
  });

  it('may not choose a driver', () => {
    const { issues } = configErrorOf(() => parse(`plugins:\n  mlops:\n    type: \${file:${folder}/pw}\n`));
    expect(issues).toMatchObject([{ path: 'plugins.mlops.type', line: 3 }]);
    expect(issues[0]?.message).toContain('may not be read from a file');
  });
});
