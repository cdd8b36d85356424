import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run-command.js';

const DEADLINE = 60_000;

/** Files of a certificate authority of its own, all PEM. */
export interface RabbitCertificates {
  /** The authority, which nobody else trusts. */
  readonly ca: string;
  /** The server's, for `localhost` and 127.0.0.1. */
  readonly serverCert: string;
  readonly serverKey: string;
  /** A client's, with the common name `hub`. */
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Makes an authority, and certificates of a server and of a client, by openssl. */
export async function makeCertificates(folder: string): Promise<RabbitCertificates> {
  const file = (name: string): string => join(folder, name);
  const openssl = async (...args: string[]): Promise<void> => {
    await run('openssl', args, { timeout: DEADLINE, cwd: folder });
  };
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  const ca = ['-subj', '/CN=hub-test-ca', '-days', '30', '-keyout', 'ca.key', '-out', 'ca.pem'];
  await openssl('req', '-x509', ...key, ...ca);
  const sign = async (name: string, commonName: string, extensions: string): Promise<void> => {
    await writeFile(file(`${name}.ext`), extensions);
    await openssl('req', ...key, '-subj', `/CN=${commonName}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAserial', `${name}.srl`, '-CAcreateserial', '-days', '30'];
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  await Promise.all([
    sign('server', 'localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'),
    sign('client', 'hub', 'extendedKeyUsage=clientAuth\n'),
  ]);
  return {
    ca: file('ca.pem'),
    serverCert: file('server.pem'),
    serverKey: file('server.key'),
    clientCert: file('client.pem'),
    clientKey: file('client.key'),
  };
}
