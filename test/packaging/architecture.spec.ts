import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TYPES = ['mlops', 'datastream', 'taskqueue'];

/** Room → rooms that it may import, beside itself. `src` is the public face. */
const ARROWS: Record<string, string[]> = {
  core: [],
  embedded: ['core'],
  amqp: ['core', 'embedded'],
  redis: ['core', 'embedded'],
  config: ['core'],
  mlops: ['core', 'embedded'],
  datastream: ['core', 'embedded', 'amqp'],
  taskqueue: ['core', 'embedded', 'amqp', 'redis'],
  experiment: ['core', ...TYPES],
  hub: ['core', 'config', 'experiment', ...TYPES],
  api: ['core', 'experiment', 'hub', ...TYPES],
  telemetry: ['core', 'experiment', ...TYPES],
  testing: ['core', 'embedded', 'config', 'experiment', 'hub', ...TYPES],
  index: ['core', 'config', 'experiment', 'hub', ...TYPES],
};

const files = sourceFiles();
const imports = files.flatMap(({ path, text }) =>
  [...text.matchAll(/(?:from\s+|import\s*\(?\s*|import\.meta\.resolve\()'(\.[^']+)'/g)].map(([, specifier = '']) => ({
    from: path,
    to: relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/'),
  })),
);

function sourceFiles(): { path: string; text: string }[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({
      path: `src/${path.replaceAll('\\', '/')}`,
      text: readFileSync(join(root, 'src', path), 'utf8'),
    }));
}

const roomOf = (path: string): string => path.split('/')[1]?.replace(/\.(ts|js)$/, '') ?? '';
const driverOf = (path: string): string | undefined => /^src\/\w+\/drivers\/([^/.]+)\//.exec(path)?.[1];

describe('architecture', () => {
  it('finds the sources and their imports', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  it('imports run one way between the rooms', () => {
    const production = imports.filter(({ from }) => !from.endsWith('.spec.ts'));
    const wrong = production.filter(({ from, to }) => {
      const [here, there] = [roomOf(from), roomOf(to)];
      if (!to.startsWith('src/')) return true;
      return here !== there && !(ARROWS[here] ?? []).includes(there);
    });
    expect(wrong).toEqual([]);
  });

  it('a driver imports no other driver, and only drivers/index.ts names them', () => {
    const wrong = imports.filter(({ from, to }) => {
      const there = driverOf(to);
      if (there === undefined || /\/drivers\/index\.ts$/.test(from) || from.endsWith('.spec.ts')) return false;
      return driverOf(from) !== there || roomOf(from) !== roomOf(to);
    });
    expect(wrong).toEqual([]);
  });

  it('the rooms of the brokers know nothing of the embedded store but its logger', () => {
    const foreign = imports.filter(({ from, to }) => /amqp|redis/.test(roomOf(from)) && roomOf(to) === 'embedded');
    expect(new Set(foreign.map(({ to }) => to))).toEqual(new Set(['src/embedded/store-logger.js']));
  });

  it('the API sees ports only', () => {
    const wrong = imports.filter(({ from, to }) => roomOf(from) === 'api' && to.includes('/drivers/'));
    expect(wrong).toEqual([]);
  });

  it('experiments see ports only', () => {
    const wrong = imports.filter(({ from, to }) => roomOf(from) === 'experiment' && to.includes('/drivers/'));
    expect(wrong.filter(({ from }) => !from.endsWith('.spec.ts'))).toEqual([]);
  });

  it('no file has more than 300 lines', () => {
    const long = files.filter(({ path }) => !path.endsWith('.spec.ts'));
    expect(long.flatMap(({ path, text }) => (text.split('\n').length > 301 ? [path] : []))).toEqual([]);
  });

  it('no file is a drawer for everything', () => {
    expect(files.filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts$)/.test(path))).toEqual([]);
  });

  it('no production code ends the process', () => {
    // A contract suite has a task that kills its worker on purpose.
    const production = files.filter(({ path }) => !/\.spec\.ts$|^src\/\w+\/contract\//.test(path));
    expect(production.flatMap(({ path, text }) => (/process\.exit\(/.test(text) ? [path] : []))).toEqual([]);
  });
});
