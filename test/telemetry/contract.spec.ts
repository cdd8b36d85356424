import { afterEach, beforeEach, describe, it } from 'vitest';
import { datastreamContract } from '../../src/datastream/datastream.contract.js';
import { LocalDataStreamPlugin } from '../../src/datastream/drivers/local/local.plugin.js';
import { mlopsContract } from '../../src/mlops/mlops.contract.js';
import { LocalMLOpsPlugin } from '../../src/mlops/drivers/local/local.plugin.js';
import { observed } from './observed-plugin.js';

const runner = { describe, it, beforeEach, afterEach };

const dataDir = ':memory:';
// A plugin that is traced and measured does what it does otherwise. There is no SDK: with one, headers are others.
datastreamContract(runner, 'local, observed', { create: () => observed(new LocalDataStreamPlugin({ dataDir })) });
mlopsContract(runner, 'local, observed', { create: () => observed(new LocalMLOpsPlugin({ dataDir })) });
