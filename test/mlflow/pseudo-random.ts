import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

const MIB = 1024 * 1024;

/** `size` bytes that no two places of have in common, one MiB at a time, and their checksum once they are read. */
export function pseudoRandom(size: number): { stream: Readable; sha256: () => string } {
  const block = randomBytes(MIB);
  const hash = createHash('sha256');
  const stream = Readable.from(
    (function* () {
      for (let sent = 0; sent < size; sent += MIB) {
        block.writeUInt32BE(sent / MIB, 0);
        const chunk = Buffer.from(block.subarray(0, Math.min(MIB, size - sent)));
        hash.update(chunk);
        yield chunk;
      }
    })(),
  );
  return { stream, sha256: () => hash.digest('hex') };
}
