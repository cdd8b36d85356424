import 'reflect-metadata';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runApp } from '../shared/run-app.js';

const load = createRequire(__filename);

void runApp({
  tasks: pathToFileURL(join(__dirname, '..', 'shared', 'thread.tasks.js')),
  loadAbsent: async () => load('hub-matrix-absent-sdk') as never,
});
