import { createHash, type Hash } from 'node:crypto';

/** Hashes what is received and compares it with what the server says about it. */
export class ReceivedChecksum {
  /** Bytes so far. */
  size = 0;
  readonly #sha256 = createHash('sha256');
  readonly #others: { hash: Hash; expected: Buffer; header: string }[] = [];

  /** @param headers names in lower case */
  constructor(headers: Readonly<Record<string, string>>) {
    // Not ETag: MLflow's is an MD5 of the file's time and size.
    const hex = headers['x-checksum-sha256'];
    if (hex !== undefined && /^[0-9a-f]{64}$/i.test(hex)) this.#expect('sha256', hex, 'hex', 'x-checksum-sha256');
    for (const header of ['content-digest', 'repr-digest']) {
      const base64 = /\bsha-256=:([A-Za-z0-9+/]{43}=):/.exec(headers[header] ?? '')?.[1];
      if (base64 !== undefined) this.#expect('sha256', base64, 'base64', header);
    }
    const md5 = headers['content-md5'];
    if (md5 !== undefined) this.#expect('md5', md5, 'base64', 'content-md5');
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    this.size += bytes.length;
    this.#sha256.update(bytes);
    for (const { hash } of this.#others) hash.update(bytes);
  }

  /** SHA-256 in hexadecimal, and the header that it does not agree with, if there is one. To be called once. */
  finish(): { sha256: string; broken: string | undefined } {
    const broken = this.#others.find(({ hash, expected }) => !hash.digest().equals(expected));
    return { sha256: this.#sha256.digest('hex'), broken: broken?.header };
  }

  #expect(algorithm: 'sha256' | 'md5', value: string, encoding: 'hex' | 'base64', header: string): void {
    this.#others.push({ hash: createHash(algorithm), expected: Buffer.from(value, encoding), header });
  }
}
