import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** Largest file that `${file:…}` reads, in bytes. */
export const MAX_SECRET_BYTES = 64 * 1024;

/**
 * The text of a secret's file (as Docker and Kubernetes mount them) without the line break at its end, or why it cannot
 * be read. Symbolic links are followed, since Kubernetes mounts its secrets as such.
 * @internal
 */
export function readSecretFile(path: string): { text: string } | { fault: string } {
  const name = JSON.stringify(path);
  if (!isAbsolute(path)) return { fault: `has \${file:…} with ${name}, which is not an absolute path.` };
  if (path.includes('\0')) return { fault: 'has ${file:…} with a path that holds a NUL.' };
  let descriptor: number | undefined;
  try {
    // NONBLOCK: opening a named pipe would otherwise wait for its writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { fault: `reads ${name}, which is not a regular file.` };
    if (stat.size > MAX_SECRET_BYTES)
      return { fault: `reads ${name}, which is larger than ${MAX_SECRET_BYTES} bytes.` };
    const bytes = readFileSync(descriptor);
    // Files of /proc say that they are empty.
    if (bytes.length > MAX_SECRET_BYTES)
      return { fault: `reads ${name}, which is larger than ${MAX_SECRET_BYTES} bytes.` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    return { fault: `reads ${name}, which cannot be read as UTF-8 text${code}.` };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
