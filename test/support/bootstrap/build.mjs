// `dist`, built from the sources of this checkout. Needs nothing but Node.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const sourceFolders = ['src', 'providers', 'jobs', 'test'];
const settings = ['tsconfig.json', 'node_modules/typescript/package.json'];

/**
 * Calls `compile` unless `dist` is what these sources were built to: nobody's programs are written anew under them for
 * nothing. `settle` resolves when nobody runs from `dist`.
 */
export async function buildOnce({ root, cache, settle, compile }) {
  const stamp = join(cache, 'built');
  const wanted = sourcesOf(root);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === `${wanted} ${outputOf(root)}`) return;
  await settle();
  rmSync(stamp, { force: true });
  await compile();
  // Sources that were edited meanwhile are built the next time.
  writeFileSync(stamp, `${wanted} ${outputOf(root)}`);
}

function sourcesOf(root) {
  const sources = sourceFolders.flatMap((folder) => filesBelow(join(root, folder)));
  const typed = sources.filter((file) => file.endsWith('.ts'));
  return hashOf([...typed, ...settings.map((file) => join(root, file))], root);
}

function outputOf(root) {
  return hashOf(filesBelow(join(root, 'dist')), root);
}

/** Of names and contents; times would say less: a checkout or a copy sets them anew. */
function hashOf(files, root) {
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
