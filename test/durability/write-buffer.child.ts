// Logs to three runs without pause until it is killed, to a server that comes and goes. What reaches the server is added
// to a file. Arguments: folder, file of the server, name of this process, seed.
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { RunWriteBuffer } from '../../src/mlops/drivers/mlflow/buffer/run-write-buffer.js';
import { FileRuns } from '../mlflow/buffer/file-runs.js';
import { point } from '../mlflow/buffer/scripted-runs.js';
import { report } from './ledger.js';
import { randomFrom } from './seeded-random.js';

const [, , folder = '', serverFile = '', name = '', seed = ''] = process.argv;
Logger.overrideLogger(false);
const random = randomFrom(Number(seed));
const server = new FileRuns(openSync(serverFile, 'a'), random);
const buffer = await RunWriteBuffer.open(server, {
  spool: { folder },
  retry: { delay: 5, maxDelay: 50 },
  adoptInterval: 100,
});
report('ready', buffer.status().spooled);

async function log(runId: string): Promise<void> {
  for (let step = 0; ; step += 20) {
    const group = Array.from({ length: 20 }, (_, index) => step + index);
    await Promise.all(
      group.map(async (number) => {
        await buffer.write(runId, point(number));
        report('stored', runId, number);
      }),
    );
    if (random() < 0.3) await setTimeout(1);
  }
}

async function weather(): Promise<void> {
  for (;;) {
    server.away = random() < 0.6;
    await setTimeout(10 + random() * 60);
  }
}

await Promise.all([log(`${name}-a`), log(`${name}-b`), log(`${name}-c`), weather()]);
closeSync(server.file);
writeSync(2, 'ended by itself');
