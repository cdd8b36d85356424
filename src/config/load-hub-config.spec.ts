import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigModule } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configErrorOf, configSchemas } from '../../test/support/config-drivers.js';
import { hubConfigFactory, loadHubConfig, type HubConfig } from './index.js';

describe('loadHubConfig', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-config-'));
    vi.spyOn(process, 'cwd').mockReturnValue(folder);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (name: string, text: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const environment = (options: { path?: string; env?: Record<string, string> }): string =>
    loadHubConfig({ env: {}, ...options, ...configSchemas }).global.environment;

  it('prefers the path given, then HUB_CONFIG_PATH, then config/hub_config.yaml, then the defaults', () => {
    expect(environment({})).toBe('development');
    mkdirSync(join(folder, 'config'));
    write('config/hub_config.yaml', 'global: { environment: standard }');
    expect(environment({})).toBe('standard');
    expect(environment({ env: { HUB_CONFIG_PATH: '' } })).toBe('standard');
    const env = { HUB_CONFIG_PATH: write('named.yaml', 'global: { environment: named }') };
    expect(environment({ env })).toBe('named');
    expect(environment({ env, path: write('given.yaml', 'global: { environment: given }') })).toBe('given');
    expect(environment({ path: 'given.yaml' })).toBe('given');
  });

  it.each([
    ['path', (path: string) => ({ path })],
    ['HUB_CONFIG_PATH', (path: string) => ({ env: { HUB_CONFIG_PATH: path } })],
  ])('says which file is missing when %s names one', (_name, options) => {
    const path = join(folder, 'missing.yaml');
    const error = configErrorOf(() => environment(options(path)));
    expect(error.message).toContain(`does not exist: ${path}`);
    expect(error.details['file']).toBe(path);
  });

  it.each([
    ['a folder', () => folder, 'not a regular file'],
    ['a device', () => '/dev/zero', 'not a regular file'],
    ['too large a file', () => write('large', Buffer.alloc(1024 * 1024 + 1, '#')), 'larger than 1048576 bytes'],
    ['what is no UTF-8', () => write('binary', Buffer.from([0x61, 0xff])), 'UTF-8'],
    ['a path with NUL', () => 'a\0b', 'cannot be read'],
  ])('refuses %s', (_name, path, reason) => {
    expect(configErrorOf(() => environment({ path: path() })).message).toContain(reason);
  });

  it('reads a file with a byte order mark and Windows line breaks', () => {
    expect(environment({ path: write('w.yaml', '\uFEFFglobal:\r\n  environment: win\r\n') })).toBe('win');
  });

  it('is what the hubConfig factory of @nestjs/config provides, under its KEY', async () => {
    const path = write('hub.yaml', 'global: { environment: "${HUB_SPEC_ENVIRONMENT}" }');
    const hubConfig = hubConfigFactory({ ...configSchemas, path, env: { HUB_SPEC_ENVIRONMENT: 'nest' } });
    const app = await Test.createTestingModule({
      imports: [ConfigModule.forRoot({ load: [hubConfig], ignoreEnvFile: true })],
    }).compile();
    const config = app.get<HubConfig>(hubConfig.KEY);
    expect(config.global.environment).toBe('nest');
    expect(config.plugins['mlops']?.type).toBe('local');
    await app.close();
  });
});
