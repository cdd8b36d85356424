import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import memory from '../../examples/custom-driver/memory/index.js';
import { parseHubConfig } from '../../src/config/index.js';
import { experimentsSchema } from '../../src/experiment/index.js';
import { builtInDrivers } from '../../src/hub/built-in-drivers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Block {
  /** File and line, for messages. */
  place: string;
  language: string;
  code: string;
}

/**
 * The fenced blocks of the README, the docs and the READMEs of drivers and examples. A `.guide.md` is the source of a
 * generated page, which holds its blocks too.
 */
function blocks(): Block[] {
  const files = ['README.md', 'docs', 'examples', 'src'].flatMap((path) =>
    path.endsWith('.md')
      ? [path]
      : readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.md') && !name.endsWith('.guide.md'))
          .map((name) => join(path, name)),
  );
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(({ index, 1: language = '', 2: code = '' }) => ({
      place: `${file}:${text.slice(0, index).split('\n').length}`,
      language,
      code,
    }));
  });
}

/** Modules whose exports a fragment may use without importing them: a block shows what matters, not its first lines. */
const AMBIENT = [
  'nestjs-experiment-hub',
  'nestjs-experiment-hub/testing',
  'nestjs-experiment-hub/api',
  '@nestjs/common',
  '@nestjs/config',
  '@nestjs/core',
  '@nestjs/testing',
  'vitest',
];

/** What a fragment may call by its usual name: injected plugins, and a run that was started. */
const INJECTED: Record<string, string> = {
  mlops: "import('nestjs-experiment-hub').MLOpsPlugin",
  stream: "import('nestjs-experiment-hub').DataStreamPlugin",
  tasks: "import('nestjs-experiment-hub').TaskQueuePlugin",
  hub: "import('nestjs-experiment-hub').ExperimentHub",
  runId: 'string',
};

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
};

/** Type-checks texts as if each were a file in `folder`; resolves imports from there. */
function check(folder: string, texts: Map<string, string>): Map<string, ts.Diagnostic[]> {
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = texts.get(path);
    return text === undefined ? getSourceFile(path, version, ...rest) : ts.createSourceFile(path, text, version);
  };
  host.getCurrentDirectory = () => folder;
  const program = ts.createProgram([...texts.keys()], options, host);
  return new Map(
    [...texts.keys()].map((path) => {
      const source = program.getSourceFile(path);
      return [path, [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]];
    }),
  );
}

const message = (diagnostic: ts.Diagnostic): string => ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');

/** Declarations of the names that the first check did not find and that a reader knows where to get. */
function missingNames(diagnostics: readonly ts.Diagnostic[], exported: Map<string, string>): string {
  const names = new Set(
    diagnostics.flatMap((found) => /(?:Cannot find name|shorthand property) '(\w+)'/.exec(message(found))?.[1] ?? []),
  );
  return [...names]
    .flatMap((name) => {
      if (exported.has(name)) return [`import { ${name} } from '${exported.get(name)}';`];
      return Object.hasOwn(INJECTED, name) ? [`declare const ${name}: ${INJECTED[name]};`] : [];
    })
    .join(' ');
}

function ambientExports(): Map<string, string> {
  const probe = join(root, 'test/packaging/ambient-probe.ts');
  const text = AMBIENT.map((name, index) => `import * as m${index} from '${name}';`).join('\n');
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (path, version, ...rest) =>
    path === probe ? ts.createSourceFile(path, text, version) : getSourceFile(path, version, ...rest);
  const program = ts.createProgram([probe], options, host);
  const checker = program.getTypeChecker();
  const found = new Map<string, string>();
  program.getSourceFile(probe)?.forEachChild((node) => {
    if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return;
    const module = checker.getSymbolAtLocation(node.moduleSpecifier);
    for (const { name } of module === undefined ? [] : checker.getExportsOfModule(module)) {
      if (!found.has(name)) found.set(name, (node.moduleSpecifier as ts.StringLiteral).text);
    }
  });
  return found;
}

describe('code in the documentation', () => {
  const all = blocks();

  it('every TypeScript block compiles against the built package', { timeout: 120_000 }, () => {
    const code = all.filter(({ language }) => language === 'ts');
    expect(code.length).toBeGreaterThan(15);
    // Beside the custom driver: the walk through it imports its files, as the reader's own would be.
    const folder = join(root, 'examples/custom-driver/memory');
    const fileOf = (index: number): string => join(folder, `docs-block-${index}.ts`);
    const texts = new Map(code.map(({ code: text }, index) => [fileOf(index), `${text}\nexport {};\n`]));
    const exported = ambientExports();
    // A block also knows what another one exports, and the files of the custom driver.
    for (const [index, { code: text }] of code.entries()) {
      for (const [, name = ''] of text.matchAll(/^export (?:abstract )?(?:class|const) (\w+)/gm)) {
        exported.set(name, `./docs-block-${index}.js`);
      }
    }
    exported.set('MemoryDataStreamPlugin', './memory.plugin.js');
    exported.set('MemoryOptions', './memory.options.js');
    const first = check(folder, texts);
    for (const [path, text] of texts) texts.set(path, `${missingNames(first.get(path) ?? [], exported)} ${text}`);
    const second = check(folder, texts);
    const faults = code.flatMap(({ place }, index) =>
      (second.get(fileOf(index)) ?? []).map((found) => `${place}: ${message(found)}`),
    );
    expect(faults).toEqual([]);
  });

  it('every hub configuration in YAML is valid', () => {
    const yaml = all.filter(
      ({ language, code }) => language === 'yaml' && /^(plugins|experiments|global):/m.test(code),
    );
    expect(yaml.length).toBeGreaterThan(3);
    const drivers = builtInDrivers();
    const faults = yaml.flatMap(({ place, code }) => {
      try {
        parseHubConfig(code, {
          drivers: [...drivers, memory],
          experimentsSchema,
          env: new Proxy({}, { get: () => 'value' }),
        });
        return [];
      } catch (error) {
        return [`${place}: ${String(error)}`];
      }
    });
    expect(faults).toEqual([]);
  });
});
