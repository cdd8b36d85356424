import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Adversary } from '../../../../../test/mlflow/adversary.js';
import { rejectsWith } from '../../../../core/contract.js';
import { MLflowClient } from '../client/mlflow.client.js';

const OWNER = { artifactUri: 'mlflow-artifacts:/1/run/artifacts' };
const MIB = 1024 * 1024;
const PART = 5 * MIB;

let server: Adversary;
const clients: MLflowClient[] = [];
const connect = (options: object = {}): MLflowClient => {
  const client = MLflowClient.connect({ mlflowUri: server.url, requestTimeout: 150, ...options });
  clients.push(client);
  return client;
};
/** Gives so many bytes, and then nothing. */
const stallingAfter = (bytes: number): Readable => {
  let isGiven = false;
  return new Readable({
    read() {
      if (!isGiven && bytes > 0) this.push(Buffer.alloc(bytes, 'x'));
      isGiven = true;
    },
  });
};

beforeEach(async () => {
  server = await Adversary.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await server.stop();
});

describe('an upload whose content stalls', () => {
  it.each([0, 10, 3 * MIB])(
    'after %i bytes is TIMEOUT, sent once at most, and its content destroyed',
    async (bytes) => {
      const content = stallingAfter(bytes);
      const { artifacts } = connect({ artifacts: { multipart: 'off' } });
      await rejectsWith(() => artifacts.upload(OWNER, 'a', content), 'TIMEOUT');
      expect(content.destroyed).toBe(true);
      // No body was complete.
      expect(server.seen).toEqual([]);
      expect(server.connections).toBeLessThanOrEqual(1);
    },
  );

  it('at its second reading is TIMEOUT too, and not read a third time', async () => {
    server.next({ status: 401 });
    let opened = 0;
    const open = (): Readable => {
      opened += 1;
      return opened === 1 ? Readable.from([Buffer.alloc(3 * MIB)]) : stallingAfter(10);
    };
    const auth = { provider: () => 'token' };
    const { artifacts } = connect({ auth, artifacts: { multipart: 'off' } });
    await rejectsWith(() => artifacts.upload(OWNER, 'a', { open, repeatable: true }), 'TIMEOUT');
    expect(opened).toBe(2);
  });

  it('in parts gives them up', async () => {
    const credentials = [1, 2, 3].map((part) => ({ url: `${server.url}/store/${part}`, part_number: part }));
    server.always((request, response) => {
      const answer = request.url?.includes('/mpu/create/') === true ? { upload_id: 'u', credentials } : {};
      response.end(JSON.stringify(answer));
    });
    const content = stallingAfter(PART + 1);
    const { artifacts } = connect({ artifacts: { partSize: PART } });
    await rejectsWith(() => artifacts.upload(OWNER, 'a', content), 'TIMEOUT');
    expect(content.destroyed).toBe(true);
    expect(server.seen.at(-1)?.url).toContain('/mpu/abort/');
  });

  it('on its way to a folder leaves nothing there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stalled-'));
    try {
      const { artifacts } = connect({ allowFileUris: [folder] });
      const owner = { artifactUri: join(folder, 'artifacts') };
      const content = stallingAfter(10);
      await rejectsWith(() => artifacts.upload(owner, 'a', content), 'TIMEOUT');
      expect(content.destroyed).toBe(true);
      const left = (await readdir(folder, { recursive: true })).filter((name) => name !== 'artifacts');
      expect(left).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
