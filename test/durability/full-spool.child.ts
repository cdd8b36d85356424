// Writes to an absent server until the disk is full (a limit on the size of files, set by the parent), then lets the
// server come back. Argument: folder.
import { setTimeout } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { HubError } from '../../src/core/errors.js';
import { RunWriteBuffer } from '../../src/mlops/drivers/mlflow/buffer/run-write-buffer.js';
import { point, pointText, ScriptedRuns } from '../mlflow/buffer/scripted-runs.js';
import { report } from './ledger.js';

const [, , folder = ''] = process.argv;
Logger.overrideLogger(false);
const server = new ScriptedRuns();
server.goAway();
const buffer = await RunWriteBuffer.open(server, { spool: { folder }, retry: { delay: 10, maxDelay: 50 } });
const acknowledged: number[] = [];
let refused = 0;
for (let first = 0; first < 20_000; first += 100) {
  const steps = Array.from({ length: 100 }, (_, index) => first + index);
  const results = await Promise.allSettled(steps.map((step) => buffer.write('r', point(step))));
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') acknowledged.push(first + index);
    else if (HubError.is(result.reason, 'UNAVAILABLE') && /cannot be written/.test(result.reason.message)) refused += 1;
  }
}
report('full', acknowledged.length, refused);
server.comeBack();
const deadline = Date.now() + 10_000;
while (buffer.status().spooled > 0 && Date.now() < deadline) await setTimeout(10);
const arrived = [...server.run('r').points];
const expected = acknowledged.map((step) => pointText(step));
report('back', buffer.status().spooled, String(arrived) === String(expected) ? 'equal' : 'different');
await buffer.write('r', point(30_000));
report('live', server.run('r').points.has(pointText(30_000)) ? 'stored' : 'lost');
await buffer.close();
