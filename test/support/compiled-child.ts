import { fileURLToPath } from 'node:url';

/**
 * Node arguments with which a child process runs a TypeScript file that uses Nest decorators. esbuild (inside tsx) emits
 * no decorator metadata, by which Nest injects, so the sources go through the same transform as in the tests.
 */
export function compiled(): string[] {
  return ['--import', fileURLToPath(new URL('./register-typescript.mjs', import.meta.url))];
}
