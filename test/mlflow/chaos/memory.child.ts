// Uploads an artifact, reads it back and downloads it, and prints the most memory that each took above the baseline, in
// bytes. Arguments: URL of the server, folder for the spool and the download, bytes.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { chaosPlugin } from './chaos-plugin.js';

const PIECE = Buffer.alloc(64 * 1024, 'experiment hub ');
/** Bytes with which everything is loaded and warmed up before the baseline. */
const WARM_UP = 20_000_000;
/** ms */
const SAMPLE = 5;

const [, , url = '', folder = '', size = ''] = process.argv;
const bytes = Number(size);

function* pieces(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= PIECE.length) yield left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
}

async function digest(stream: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of stream) hash.update(piece);
  return hash.digest('hex');
}

/** What `work` took at most above the memory before it, and how long, in ms. */
async function measured(work: () => Promise<void>): Promise<{ above: number; took: number }> {
  globalThis.gc?.();
  const baseline = process.memoryUsage.rss();
  let most = baseline;
  const look = (): number => (most = Math.max(most, process.memoryUsage.rss()));
  const timer = setInterval(look, SAMPLE);
  const began = performance.now();
  await work();
  const took = performance.now() - began;
  clearInterval(timer);
  return { above: look() - baseline, took };
}

const mlops = chaosPlugin(url, join(folder, 'spool'));
await mlops.initialize();
const { runId } = await mlops.startRun(await mlops.createExperiment('memory'));
await mlops.logStream(runId, Readable.from(pieces(WARM_UP)), 'warm-up.bin');
await digest(await mlops.readArtifact(runId, 'warm-up.bin'));

const upload = await measured(() => mlops.logStream(runId, Readable.from(pieces(bytes)), 'large.bin'));
let read = '';
const reading = await measured(async () => {
  read = await digest(await mlops.readArtifact(runId, 'large.bin'));
});
let path = '';
const download = await measured(async () => {
  path = await mlops.downloadArtifacts(runId, 'large.bin', join(folder, 'down'));
});
// From the file that was downloaded, which is uploaded by its path then.
const copied = await digest(createReadStream(path) as AsyncIterable<Buffer>);
const file = await measured(() => mlops.logArtifact(runId, path, 'again'));
const sent = await digest(pieces(bytes));
const listed = (await mlops.listArtifacts(runId, 'again'))[0]?.fileSize;
await mlops.shutdown();
console.log(
  JSON.stringify({
    ...{ upload, reading, download, file },
    intact: read === sent && copied === sent && (await stat(path)).size === bytes && listed === bytes,
  }),
);
