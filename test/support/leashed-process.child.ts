import { join } from 'node:path';
import { LeashedProcess } from './leashed-process.js';

// Starts a shell that starts another process and prints its id; prints the shell's own, and waits to be killed.
const [folder = '', litter = ''] = process.argv.slice(2);
const script = 'sleep 600 & echo $!; wait';
const options = { env: process.env, cwd: folder, output: join(folder, 'output.log'), litter };
const { pid } = await LeashedProcess.start('sh', ['-c', script], options);
console.log(pid);
setInterval(() => undefined, 1_000);
