import { describe, expect, it } from 'vitest';
import { configErrorOf, configSchemas } from '../../test/support/config-drivers.js';
import { parseHubConfig } from './index.js';

const errorOf = (text: string) =>
  configErrorOf(() => parseHubConfig(text, { ...configSchemas, env: {}, file: 'hub.yaml' }));

describe('unreadable YAML', () => {
  it.each([
    ['a bad indent', 'a: [1,\nb: 2', 2],
    ['a key that is repeated', 'version: 1\nglobal: {}\nversion: 2', 3],
    ['an unknown tag', 'version: 1\nglobal: !python/object {}', 2],
    ['a second document', 'version: 1\n---\nversion: 2', 2],
    ['a key that is a list', '? [a]\n: 1', 1],
    ['an escape that YAML does not know', 'version: "\\q"', 1],
    ['a reserved character', 'version: @x', 1],
    ['tabs', 'global:\n\tlog_level: info', 2],
    ['two keys on a line', 'global: log_level: info', 1],
    ['a quote that is not closed', 'version: "1\nglobal: {}\n', 3],
  ])('%s is a fault with its line', (_name, text, line) => {
    const { issues, message } = errorOf(text);
    expect(issues.some((issue) => issue.line === line)).toBe(true);
    expect(message).toContain('the configuration file hub.yaml has');
  });

  it.each([
    ['an alias without anchor', 'global: *nothing', 'names no anchor'],
    ['a merge of something else', 'global: { <<: 3 }', 'merge'],
    ['a cyclic alias', 'global: &a { environment: *a }', 'cyclic'],
    ['a cyclic merge', 'global: &a { <<: *a }', ''],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map(
          (name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefg'[index]}`).join(',')}]`,
        )
        .join('\n')}`,
      'multiply',
    ],
  ])('%s is a fault', (_name, text, reason) => {
    expect(errorOf(text).message).toContain(reason);
  });

  it.each([
    ['a file of more than 1 MiB', `version: |\n${'  xxxxxxxxx\n'.repeat(100_000)}`, 'larger than 1048576 bytes'],
    ['a line of a million characters', `version: ${'x'.repeat(1_000_000)}`, 'more than 10000 characters'],
    ['a line of nested lists', '- '.repeat(500_000), 'more than 10000 characters'],
    ['brackets over many lines', '[\n'.repeat(100_000), 'opening brackets'],
    ['brackets up to the limit', `plugins: ${'['.repeat(4_900)}`, 'YAML'],
    ['nested lists up to the limit', '- '.repeat(4_900), ''],
    ['blocks nested far', Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'), '64 levels'],
  ])('%s is a fault, soon', { timeout: 10_000 }, (_name, text, reason) => {
    expect(errorOf(text).message).toContain(reason);
  });

  it.each([
    '!hunter2',
    '*hunter2',
    '&hunter2 [',
    '@hunter2',
    '%hunter2',
    '"hunter2\\q"',
    '"hunter2" hunter2',
    '{hunter2',
    '`hunter2`',
  ])('never quotes the source: %s', (secret) => {
    const error = errorOf(`plugins:\n  mlops:\n    type: remote\n    config:\n      password: ${secret}\n`);
    expect(JSON.stringify(error) + String(error.stack)).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });
});
