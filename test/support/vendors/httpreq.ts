import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/** A server for lego's httpreq, as https://go-acme.github.io/lego/dns/httpreq/ has it, at `/dns`. */
export function createHttpreqFront(username: string, password: string): Front {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return {
    isAuthorized: ({ headers }) => headers.authorization === authorization,
    refusal(why) {
      const status = { credentials: 401, rights: 403, haste: 429, fault: 500 }[why];
      return { status, text: `refused for ${why}` };
    },
    routes: (world) => [
      { method: 'POST', path: '/dns/present', run: (request) => change(world, request, present) },
      { method: 'POST', path: '/dns/cleanup', run: (request) => change(world, request, cleanup) },
    ],
  };
}

interface Wanted {
  readonly zone: string;
  readonly name: string;
  readonly value: string;
}

function change(
  world: World,
  { json, headers }: Incoming,
  run: (world: World, wanted: Wanted) => void,
): Answer {
  const keys = Object.keys(json ?? {}).sort();
  if (headers['content-type'] !== 'application/json' || keys.join() !== 'fqdn,value')
    return { status: 400, text: 'not the default body of httpreq' };
  if (!json.fqdn.endsWith('.')) return { status: 400, text: 'fqdn without the dot at its end' };
  const name = json.fqdn.slice(0, -1);
  const zone = world.store.zoneOf(name) ?? '';
  const problem = world.problem(zone, { name });
  if (problem !== undefined) return { status: 422, text: problem };
  run(world, { zone, name, value: json.value });
  return { status: 202, text: 'done' };
}

function present(world: World, { zone, name, value }: Wanted): void {
  const isThere = world.store.txt(name).includes(value);
  if (!isThere) world.addRecord(zone, { name, type: 'TXT', ttl: 60, value });
}

function cleanup(world: World, { zone, name, value }: Wanted): void {
  const found = world.records(zone).filter((one) => one.name === name && one.value === value);
  for (const { id } of found) world.removeRecord(zone, id);
}
