// Preloaded by packaging.spec.ts (`node --import`): prints the URL of every module that is loaded, ESM and CommonJS.
import { createRequire, register } from 'node:module';

const hooks = `
import { writeSync } from 'node:fs';
export async function load(url, context, next) {
  writeSync(1, 'loaded ' + url + '\\n');
  return next(url, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

// CommonJS modules that are required by CommonJS modules pass no ESM hook.
process.on('exit', () => {
  for (const path of Object.keys(createRequire(import.meta.url).cache)) console.log(`loaded ${path}`);
});
