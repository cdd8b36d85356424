import { posix } from 'node:path';

/**
 * The `Content-Disposition` of a download (RFC 6266): an ASCII fallback, and the name itself in UTF-8 (RFC 5987).
 * @internal
 */
export function attachmentHeader(path: string): string {
  // Half of a surrogate pair has no UTF-8.
  const name = posix.basename(path).replaceAll(/\p{Surrogate}/gu, '_') || 'artifact';
  const fallback = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${fallback}"; filename*=UTF-8''${encoded}`;
}
