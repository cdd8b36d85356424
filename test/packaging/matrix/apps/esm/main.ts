import 'reflect-metadata';
import { runApp } from '../shared/run-app.js';

// In a variable, so that TypeScript does not look for what has to be absent.
const absent: string = 'hub-matrix-absent-sdk';

await runApp({
  tasks: new URL('../shared/thread.tasks.js', import.meta.url),
  loadAbsent: async () => (await import(absent)) as never,
});
