/** `node fetch-servers.js [NAME…]`: a process of its own, so that it can be ended with all that it starts. */

import { fetchServers } from './fetch/index.ts';
import { recipes } from './fetch/recipes.ts';

const say = (line: string) => process.stderr.write(`acme-agent: ${line}\n`);
const names = recipes.map(({ name }) => name).filter((name) => process.argv.includes(name));

try {
  await fetchServers(say, names.length === 0 ? undefined : names);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
