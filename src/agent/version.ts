import { existsSync, readFileSync } from 'node:fs';

/** Version of this package, from the nearest package.json above this file (it runs from the sources and from `dist`). */
export const version: string = readVersion(new URL('../../package.json', import.meta.url));

function readVersion(at: URL): string {
  if (!existsSync(at)) return readVersion(new URL('../package.json', at));
  const { version: found } = JSON.parse(readFileSync(at, 'utf8')) as { version: string };
  return found;
}
