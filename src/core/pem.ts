import { readFileSync } from 'node:fs';
import { HubError, type HubErrorOptions } from './errors.js';

/**
 * The PEM text that an option holds, or that lies in the file which it names. `CONFIG_INVALID` for neither.
 * @param key name of the option for the error, e.g. `tls.ca`
 */
export function readPem(given: string, key: string, source: HubErrorOptions): string {
  let pem = given;
  if (!given.includes('-----BEGIN')) {
    try {
      pem = readFileSync(given, 'utf8');
    } catch (error) {
      // Without the text: it may be a key that lost its first line.
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      throw new HubError('CONFIG_INVALID', `${key} is neither PEM nor a readable file (${code}).`, source);
    }
  }
  if (pem.includes('-----BEGIN')) return pem;
  throw new HubError('CONFIG_INVALID', `the file of ${key} holds no PEM.`, source);
}
