// Logs runs, batches, models and artifacts without pause until it is killed. Arguments: folder, round, seed.
import './silent-log.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { report } from './ledger.js';
import { MLOpsWriters } from './mlops-writers.js';
import { randomFrom } from './seeded-random.js';

const [, , dataDir = '', round = '', seed = ''] = process.argv;
const mlops = new LocalMLOpsPlugin({ dataDir });
await mlops.initialize();
await MLOpsWriters.run(mlops, { round, random: randomFrom(Number(seed)), report });
