import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { renderConfigDocs } from './generate-config.js';
import { contractDocs } from './generate/contracts.js';
import { driverDocs } from './generate/drivers.js';
import { errorDocs } from './generate/errors.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** All generated files: path from the project's root → content, formatted as `prettier --check` wants it. */
export async function generateDocs(): Promise<Record<string, string>> {
  const raw: Record<string, string> = {
    ...(await renderConfigDocs()),
    'docs/contracts.md': await contractDocs(),
    'docs/drivers.md': await driverDocs(),
    'docs/errors.md': errorDocs(),
  };
  const style = await resolveConfig(`${root}/package.json`);
  return Object.fromEntries(
    await Promise.all(
      Object.entries(raw).map(
        async ([path, text]) => [path, await format(text, { ...style, filepath: path })] as const,
      ),
    ),
  );
}

/** Paths whose committed content is not what would be generated now. */
export async function outdatedDocs(): Promise<string[]> {
  const wanted = Object.entries(await generateDocs());
  const current = await Promise.all(wanted.map(([path]) => readFile(`${root}/${path}`, 'utf8').catch(() => undefined)));
  return wanted.flatMap(([path, text], index) => (current[index] === text ? [] : [path]));
}

async function main(): Promise<void> {
  for (const [path, text] of Object.entries(await generateDocs())) {
    await writeFile(`${root}/${path}`, text);
    console.log(`wrote ${path}`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
}
