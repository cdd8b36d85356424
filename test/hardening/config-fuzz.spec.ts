import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';
import {
  ExperimentHub,
  ExperimentHubModule,
  experimentsSchema,
  HubError,
  parseHubConfig,
  validateHubConfig,
  type HubConfig,
  type HubOptions,
} from '../../src/index.js';
import { testSeed } from '../durability/seeded-random.js';
import { documents, WITH_EXPERIMENTS } from './config-documents.js';
import type { FuzzedDocument } from './fuzzed-document.js';

const DOCUMENTS = 2_000;
/** Longest time of one document, in ms; two cores and other suites beside this one. */
const LIMIT = 1_000;
const BOOTS = 20;

const schemas = { drivers: builtInDrivers(), experimentsSchema };
const env = {
  HUB_DATA_DIR: ':memory:',
  HUB_FUZZ: 'text',
  HUB_FUZZ_NUMBER: '42',
  HUB_FUZZ_YAML: 'a: &a [*a]\n__proto__: { polluted: yes }',
};
const seed = testSeed();
let folder: string;
let valid: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-fuzz-'));
  valid = [await readFile(new URL('../../config/hub_config.yaml', import.meta.url), 'utf8'), WITH_EXPERIMENTS];
  console.log(`config-fuzz: HUB_TEST_SEED=${seed}`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What every object inherits; nothing may be added to it by a document. */
function inherited(): string {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype]
    .map((prototype) => Reflect.ownKeys(prototype).map(String).join())
    .join('|');
}

/** The configuration, or `undefined` for CONFIG_INVALID; anything else fails, and so does taking too long. */
function read({ kind, text }: FuzzedDocument, parse: () => HubConfig): HubConfig | undefined {
  const began = performance.now();
  let config: HubConfig | undefined;
  try {
    config = parse();
  } catch (error) {
    if (!HubError.is(error, 'CONFIG_INVALID')) throw new Error(`${kind}: ${inspect(error)}\n${text.slice(0, 2_000)}`);
    expect(error.details['issues']).not.toEqual([]);
  }
  const took = performance.now() - began;
  if (took > LIMIT) throw new Error(`${kind} took ${Math.round(took)} ms:\n${text.slice(0, 2_000)}`);
  return config;
}

describe('2 000 fuzzed configurations', () => {
  const accepted: { document: FuzzedDocument; config: HubConfig }[] = [];

  it('give a configuration or CONFIG_INVALID, in bounded time, and change nothing else', () => {
    for (const text of valid) expect(parseHubConfig(text, { ...schemas, env }).version).toBe('1');
    const samples = fc.sample(documents(valid), { seed, numRuns: DOCUMENTS });
    const before = inherited();
    const counts = new Map<string, [valid: number, all: number]>();
    let slowest = 0;
    const began = performance.now();
    for (const document of samples) {
      const start = performance.now();
      const config = read(document, () => parseHubConfig(document.text, { ...schemas, env }));
      slowest = Math.max(slowest, performance.now() - start);
      const kind = document.kind.replace(/:.*/, '');
      const [good, all] = counts.get(kind) ?? [0, 0];
      counts.set(kind, [good + (config === undefined ? 0 : 1), all + 1]);
      if (config !== undefined) accepted.push({ document, config });
      expect(inherited()).toBe(before);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    }
    const total = Math.round(performance.now() - began);
    const table = [...counts].map(([kind, [good, all]]) => `${kind} ${good}/${all}`).join(', ');
    console.log(`config-fuzz: ${DOCUMENTS} in ${total} ms, slowest ${slowest.toFixed(0)} ms; valid: ${table}`);
    const made = ['mutated', 'garbled', 'reworded'].reduce((sum, kind) => sum + (counts.get(kind)?.[1] ?? 0), 0);
    expect(made).toBeGreaterThan(DOCUMENTS / 3);
    expect(counts.get('reworded')?.[0]).toBe(counts.get('reworded')?.[1]);
    expect(accepted.length).toBeGreaterThan(DOCUMENTS / 20);
    expect(accepted.length).toBeLessThan(DOCUMENTS * 0.9);
  }, 120_000);

  it('what was accepted is whole: every plugin, own keys only, and valid again', () => {
    for (const { document, config } of accepted) {
      expect(Object.keys(config.plugins).sort()).toEqual(['datastream', 'mlops', 'taskqueue']);
      expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
      for (const block of Object.values(config.plugins)) {
        expect(Object.getPrototypeOf(block)).toBe(Object.prototype);
        expect(Object.getPrototypeOf(block.config)).toBe(Object.prototype);
        expect(['local']).toContain(block.type);
      }
      const again = read(document, () => validateHubConfig(config as HubOptions, schemas));
      expect(again).toEqual(config);
    }
  }, 60_000);

  it(`${BOOTS} of the valid ones boot the hub`, async () => {
    const step = Math.max(1, Math.floor(accepted.length / BOOTS));
    const chosen = accepted.filter((_item, index) => index % step === 0).slice(0, BOOTS);
    expect(chosen).toHaveLength(BOOTS);
    const cwd = process.cwd();
    for (const [index, { document, config }] of chosen.entries()) {
      // In memory, wherever the document wants its files, and with time, however little it gives.
      const plugins = Object.fromEntries(
        Object.entries(config.plugins).map(([type, block]) => [
          type,
          { ...block, initTimeout: 15_000, config: { ...block.config, dataDir: ':memory:' } },
        ]),
      );
      const path = join(folder, `${index}.yaml`);
      const global = { ...config.global, workDir: join(folder, 'work'), shutdownTimeout: 5_000, logLevel: 'fatal' };
      // YAML in folded lines: a document of long texts would exceed the limit on a line as JSON.
      await writeFile(
        path,
        stringify({ ...config, global, plugins }, { defaultStringType: 'QUOTE_DOUBLE' }).replaceAll('${', '$${'),
      );
      @Module({ imports: [ExperimentHubModule.forRoot({ configPath: path })] })
      class App {}
      try {
        const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
        expect(app.get(ExperimentHub).ready).toBe(true);
        await app.close();
      } catch (error) {
        throw new Error(`${document.kind} does not boot: ${inspect(error)}\n${document.text}`);
      }
    }
    expect(process.cwd()).toBe(cwd);
  }, 120_000);
});

describe('objects given in code', () => {
  it('give a configuration or CONFIG_INVALID, whatever they are', () => {
    const before = inherited();
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.record({ global: anything, plugins: fc.dictionary(fc.string(), anything), experiments: anything }),
        ),
        (value) => {
          read({ kind: 'value', text: inspect(value) }, () => validateHubConfig(value as HubOptions, schemas));
        },
      ),
      { seed, numRuns: 500 },
    );
    expect(inherited()).toBe(before);
  }, 60_000);
});
