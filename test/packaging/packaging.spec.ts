import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run-command.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  exports: Record<string, string | { types: string; default: string }>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
};
const TYPES = ['mlops', 'datastream', 'taskqueue'];
/** Loaded only when a driver or a task needs them. */
const OPTIONAL = [...Object.keys(pkg.peerDependenciesMeta), 'libsql', 'piscina'];

const driverFolders = TYPES.flatMap((type) =>
  readdirSync(join(root, 'src', type, 'drivers'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ type, name, key: `${type}/${name}` })),
);

beforeAll(() => {
  expect(existsSync(join(root, 'dist', 'index.js')), 'run "npm run build" first').toBe(true);
});

describe('exports', () => {
  it('has one subpath per plugin type, driver and contract suite', () => {
    const expected = [
      '.',
      ...TYPES.flatMap((type) => [`./${type}`, `./${type}/contract`]),
      ...driverFolders.map(({ key }) => `./${key}`),
      './mlops/driver-kit',
      './mlops/mlflow/client',
      './datastream/driver-kit',
      './taskqueue/driver-kit',
      './telemetry',
      './testing',
      './api',
      './hub_config.schema.json',
      './package.json',
    ];
    expect(Object.keys(pkg.exports).sort()).toEqual(expected.sort());
  });

  it('points to files that exist', () => {
    const targets = Object.values(pkg.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    expect(targets.filter((target) => !existsSync(join(root, target)))).toEqual([]);
  });

  it.each(driverFolders)('$key: folder, export, descriptor and subpath have one name', async ({ type, name, key }) => {
    const load = async (file: string) =>
      (await import(pathToFileURL(join(root, 'dist', file)).href)) as Record<string, unknown>;
    const listed = await load(`${type}/drivers/index.js`);
    const entry = pkg.exports[`./${key}`];
    const alone = await load((typeof entry === 'object' ? entry.default : '').replace('./dist/', ''));
    expect(listed[name]).toMatchObject({ type, name });
    expect(alone['default']).toBe(listed[name]);
    expect(Object.keys(listed).sort()).toEqual(
      driverFolders.flatMap((folder) => (folder.type === type ? [folder.name] : [])).sort(),
    );
  });
});

describe('what is published', () => {
  it('holds the build and the papers, but no spec', async () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const answer = JSON.parse(await run('npm', args, { timeout: 60_000, cwd: root })) as {
      files: { path: string }[];
    }[];
    const files = answer[0]?.files.map(({ path }) => path) ?? [];
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'package.json',
        'dist/index.js',
        'dist/index.d.ts',
      ]),
    );
    expect(files.filter((path) => /\.spec\.|^(src|test|examples|docs)\//.test(path))).toEqual([]);
  });

  it('loads no optional package with the root', async () => {
    const loaded = await loadedBy("await import('nestjs-experiment-hub');");
    expect(loaded.some((url) => url.endsWith('/dist/index.js'))).toBe(true);
    expect(loaded.some((url) => url.includes('/node_modules/joi/'))).toBe(true);
    expect(optionalAmong(loaded)).toEqual([]);
  });

  it('loads none with the telemetry, until it is asked for', async () => {
    const code = (options: string): string =>
      `const { HubTelemetryModule } = await import('nestjs-experiment-hub/telemetry');
       const { NestFactory } = await import('@nestjs/core');
       const module = HubTelemetryModule.forRoot(${options});
       await (await NestFactory.createApplicationContext(module, { logger: false })).close();`;
    expect(optionalAmong(await loadedBy(code('{}')))).toEqual([]);
    expect(optionalAmong(await loadedBy(code('{ tracing: true }')))).toEqual(['@opentelemetry/api']);
    // prom-client brings the API for its exemplars.
    expect(optionalAmong(await loadedBy(code('{ metrics: true }')))).toContain('prom-client');
  });

  it('names no optional package in the types of the telemetry', () => {
    expect(namedIn('telemetry/index.d.ts').named).toEqual([]);
  });

  it('sees an optional package when one is loaded', async () => {
    expect(optionalAmong(await loadedBy("await import('libsql');"))).toEqual(['libsql']);
  });

  it('names no optional package in the types of the root', () => {
    const { seen, named } = namedIn('index.d.ts');
    expect(seen.size).toBeGreaterThan(20);
    expect(named).toEqual([]);
  });
});

describe('what is committed', () => {
  it('has a lock file without registry addresses', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "https?:/);
  });
});

/** The declarations that those of a file in `dist` reach, and the optional packages that they name. */
function namedIn(file: string): { seen: Set<string>; named: string[] } {
  const seen = new Set<string>();
  const named: string[] = [];
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
      if (specifier.startsWith('.')) visit(join(path, '..', specifier.replace(/\.js$/, '.d.ts')));
      else if (OPTIONAL.includes(specifier)) named.push(`${path}: ${specifier}`);
    }
  };
  visit(join(root, 'dist', file));
  return { seen, named };
}

/** The URLs and paths of all modules that a fresh Node process loads for `code`. */
async function loadedBy(code: string): Promise<string[]> {
  const hook = pathToFileURL(join(root, 'test', 'packaging', 'report-imports.mjs')).href;
  const args = ['--no-warnings', '--import', hook, '--input-type=module', '--eval', code];
  const output = await run(process.execPath, args, { timeout: 30_000, cwd: root });
  return output.split('\n').flatMap((line) => (line.startsWith('loaded ') ? [line.slice('loaded '.length)] : []));
}

function optionalAmong(loaded: readonly string[]): string[] {
  return OPTIONAL.filter((name) => loaded.some((url) => url.includes(`/node_modules/${name}/`)));
}
