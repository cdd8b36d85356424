import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderConfigDocs } from '../../docs/generate-config.js';
import { experimentsSchema } from '../../src/experiment/experiment.schema.js';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';
import { loadHubConfig } from '../../src/config/index.js';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const configs = readdirSync(new URL('config/', root)).filter((name) => name.endsWith('.yaml'));

describe('the files in config/ and docs/', () => {
  it('are what npm run docs generates', async () => {
    for (const [path, text] of Object.entries(await renderConfigDocs())) {
      expect(read(path), `${path} is out of date: run npm run docs`).toBe(text);
    }
  });

  it.each(configs)('config/%s loads without any variable set, and fits the JSON schema that it names', (name) => {
    const path = new URL(`config/${name}`, root);
    const config = loadHubConfig({ path: path.pathname, env: {}, drivers: builtInDrivers(), experimentsSchema });
    expect(Object.keys(config.plugins)).toEqual(['mlops', 'datastream', 'taskqueue']);
    const text = read(`config/${name}`);
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./hub_config.schema.json');
    const schema = JSON.parse(read('config/hub_config.schema.json')) as object;
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
    expect(validate(parse(text.replace('plugins:', 'plugin:')))).toBe(false);
    expect(validate(parse(text.replaceAll(/data_dir|backend_url/g, 'data_dri')))).toBe(false);
  });

  it('describe every key of every driver', () => {
    const markdown = read('docs/configuration.md');
    const empty = markdown.split('\n').filter((line) => /^\| `.*\|\s*\|$/.test(line));
    expect(empty, 'keys without .description()').toEqual([]);
  });
});
