/** Uploads a file and prints how many bytes the process grew meanwhile. Arguments: server, run, file, spool folder. */
import { mlflowPlugin } from '../test/support/open-mlflow.js';

const [, , mlflowUri = '', runId = '', file = '', dir = ''] = process.argv;
const plugin = mlflowPlugin({ mlflowUri, spool: { dir } });
await plugin.initialize();
// The connection and the code for uploads belong to the baseline.
await plugin.logText(runId, 'x', 'warm-up.txt');
const baseline = process.memoryUsage.rss();
let peak = baseline;
const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10);
await plugin.logArtifact(runId, file);
clearInterval(sampling);
console.log(Math.max(peak, process.memoryUsage.rss()) - baseline);
await plugin.shutdown();
