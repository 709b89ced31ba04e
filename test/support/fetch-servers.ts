/** `node fetch-servers.js [NAME…] [--or-at-url]`: a process of its own, so that it can be ended with all that it starts. */

import { fetchServers } from './fetch/index.ts';
import { recipes } from './fetch/recipes.ts';

const say = (line: string) => process.stderr.write(`acme-agent: ${line}\n`);
const names = recipes.map(({ name }) => name).filter((name) => process.argv.includes(name));

try {
  const orAtUrl = process.argv.includes('--or-at-url');
  await fetchServers(say, { wanted: names.length === 0 ? undefined : names, orAtUrl });
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
