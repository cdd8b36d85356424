import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Adversary, makeCertificates, type TestCertificates } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import { HubError } from '../../../../core/errors.js';
import { tlsOptions, type MLflowTls } from './mlflow.tls.js';
import { HttpTransport } from './mlflow.transport.js';

const GET = { method: 'GET', path: '/api/2.0/mlflow/runs/get' } as const;

describe('TLS', () => {
  let certificates: TestCertificates;
  let server: Adversary;
  let folder: string;

  beforeAll(async () => {
    certificates = makeCertificates();
    folder = mkdtempSync(join(tmpdir(), 'tls-'));
    const { ca, server: own } = certificates;
    server = await Adversary.start({ tls: { ...own, ca, requestCert: true, rejectUnauthorized: false } });
    server.always((request, response) => {
      const socket = request.socket as TLSSocket;
      const client = socket.authorized ? socket.getPeerCertificate().subject.CN : null;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ client }));
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = async (tls: MLflowTls, uri = server.url, foreignUrl?: string): Promise<unknown> => {
    const transport = new HttpTransport({ uri, tls });
    try {
      if (foreignUrl === undefined) return await transport.json(GET);
      const { body } = await transport.download({ ...GET, foreignUrl });
      return JSON.parse(Buffer.concat(await body.toArray()).toString()) as unknown;
    } finally {
      await transport.close();
    }
  };

  it('a private authority is refused at once, unless it is named', async () => {
    const error = await rejectsWith(() => ask({}), 'UNAVAILABLE');
    expect(error.message).toMatch(/tls\.ca/);
    expect(error.details).toEqual({});
    expect(await ask({ ca: certificates.ca })).toEqual({ client: null });
    const file = join(folder, 'ca.pem');
    writeFileSync(file, certificates.ca);
    expect(await ask({ ca: file })).toEqual({ client: null });
  });

  it('the switch takes any certificate of this server, and of no other', async () => {
    expect(await ask({ insecure: true })).toEqual({ client: null });
    await rejectsWith(() => ask({ insecure: true }, server.url, server.url), 'UNAVAILABLE');
  });

  it('a client certificate is shown to this server, and to no other', async () => {
    const { ca, client } = certificates;
    expect(await ask({ ca, ...client })).toEqual({ client: 'client' });
    const both = join(folder, 'both.pem');
    writeFileSync(both, client.key + client.cert);
    expect(await ask({ ca, cert: both })).toEqual({ client: 'client' });
    expect(await ask({ ca, ...client }, server.url, server.url)).toEqual({ client: null });
  });

  it('a server without TLS behind https says what is wrong', async () => {
    const plain = await Adversary.start();
    const error = await rejectsWith(() => ask({}, plain.url.replace('http:', 'https:')), 'UNAVAILABLE');
    expect(error.message).toContain('needs http://');
    await plain.stop();
  });

  it('files that are missing or hold no PEM are CONFIG_INVALID, without their text', () => {
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, 'nothing');
    for (const tls of [{ ca: join(folder, 'gone.pem') }, { cert: empty }, { key: 'MIIsecretkey' }]) {
      let caught: unknown;
      try {
        tlsOptions(tls);
      } catch (error) {
        caught = error;
      }
      expect(HubError.is(caught, 'CONFIG_INVALID')).toBe(true);
      expect(String(caught)).not.toContain('MIIsecretkey');
    }
  });
});
