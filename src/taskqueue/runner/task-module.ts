import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HubError, type HubErrorOptions } from '../../core/errors.js';
import type { TaskModule } from './thread-messages.js';

const TYPESCRIPT = /\.[cm]?ts$/;

/**
 * Finds a task module. A `.js` that does not exist stands for the `.ts` beside it, so that the same URL works on sources
 * and on what is built from them. `INVALID_ARGUMENT` for a relative path, `NOT_FOUND` for a missing file,
 * `UNSUPPORTED` for TypeScript where `tsx` is not installed.
 */
export function resolveTaskModule(module: string | URL, source: HubErrorOptions): TaskModule {
  const wanted = modulePath(module, source);
  const path = [wanted, wanted.replace(/\.([cm]?)js$/, '.$1ts')].find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new HubError('NOT_FOUND', `the task module ${wanted} does not exist.`, source);
  }
  const url = pathToFileURL(path).href;
  if (!TYPESCRIPT.test(path)) return { url };
  const tsx = findTsx(url) ?? findTsx(import.meta.url);
  if (tsx !== undefined) return { url, tsx };
  throw new HubError(
    'UNSUPPORTED',
    `the task module ${path} is TypeScript, which a worker thread can only import with tsx: run npm install tsx, or ` +
      'register the built .js file.',
    source,
  );
}

/** URL of `tsx/esm/api` as seen from the file `from`. */
export function findTsx(from: string): string | undefined {
  try {
    // require.resolve finds the CommonJS face, whose register() does not work inside a worker; the other lies beside it.
    const path = createRequire(from)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs');
    return existsSync(path) ? pathToFileURL(path).href : undefined;
  } catch {
    return undefined;
  }
}

function modulePath(module: string | URL, source: HubErrorOptions): string {
  const text = String(module);
  if (text.startsWith('file:')) return fileURLToPath(text);
  if (isAbsolute(text)) return text;
  throw new HubError(
    'INVALID_ARGUMENT',
    `a task module is given by absolute path or file: URL, e.g. new URL('./tasks.js', import.meta.url); not ${JSON.stringify(text)}.`,
    source,
  );
}
