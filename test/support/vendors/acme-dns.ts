import { randomUUID } from 'node:crypto';
import type { Answer, Front, Incoming } from './server.ts';
import type { World } from './world.ts';

/**
 * acme-dns, as https://github.com/joohoi/acme-dns has it: registrations with credentials of their own, two places a name,
 * the value that was written longest ago gives way, no removal, a TTL of 1. Time counts in whole seconds (Update in
 * pkg/database/db.go); of two values of one second the database may give any.
 */
export interface Registered {
  readonly username: string;
  readonly password: string;
  readonly subdomain: string;
  readonly fulldomain: string;
}

interface AcmeDnsOptions {
  /** Those that are there from the beginning. */
  readonly registrations?: readonly Registered[] | undefined;
  /** The real one takes 43 characters, the length of a digest, and no others. */
  readonly anyText?: boolean | undefined;
  /** How long a second is: less for a clock that is hasty. */
  readonly secondMs?: number | undefined;
}

interface AcmeDnsFront extends Front {
  readonly registrations: readonly Registered[];
  /** What the name of each update held after it. */
  readonly served: readonly (readonly string[])[];
}

interface Place {
  readonly value: string;
  readonly writtenAt: number;
}

export function createAcmeDnsFront({
  registrations = [],
  anyText = false,
  secondMs = 1000,
}: AcmeDnsOptions = {}): AcmeDnsFront {
  const known = [...registrations];
  const places = new Map<string, readonly Place[]>();
  const served: string[][] = [];

  function update(world: World, { json, headers }: Incoming): Answer {
    const found = known.find(({ username }) => username === headers['x-api-user']);
    if (found === undefined || !isTxt(json.txt)) return { status: 400, json: { error: 'bad_txt' } };
    const { fulldomain: name } = found;
    const [first, second] = places.get(name) ?? [empty, empty];
    if (first === undefined || second === undefined) return { status: 500, json: { error: 'db_error' } };
    // Of two that are equally old the one goes that came last: the worst for who relies on an order.
    const staying = first.writtenAt < second.writtenAt ? second : first;
    const held = [staying, { value: json.txt, writtenAt: Math.floor(Date.now() / secondMs) }];
    places.set(name, held);
    const values = held.map(({ value }) => value).filter((value) => value !== '');
    // Both places may hold the same, but a set of records has no copies (RFC 2181 §5).
    world.writeTxt(world.store.zoneOf(name) ?? '', { name, ttl: 1, values: [...new Set(values)] });
    served.push(values);
    return { status: 200, json: { txt: json.txt } };
  }

  function isTxt(txt: unknown): boolean {
    if (typeof txt !== 'string' || txt === '') return false;
    return anyText || /^[A-Za-z0-9_-]{43}$/.test(txt);
  }

  return {
    registrations: known,
    served,
    isAuthorized: ({ path, headers, json }) =>
      path !== '/update' ||
      known.some(
        ({ username, password, subdomain }) =>
          username === headers['x-api-user'] &&
          password === headers['x-api-key'] &&
          subdomain === json?.subdomain,
      ),
    refusal(why) {
      const status = { credentials: 401, rights: 403, haste: 429, fault: 500 }[why];
      return { status, json: { error: why === 'fault' ? 'db_error' : 'forbidden' } };
    },
    routes: (world) => [
      { method: 'GET', path: '/health', run: () => ({ status: 200, text: '' }) },
      { method: 'POST', path: '/update', run: (request) => update(world, request) },
      {
        method: 'POST',
        path: '/register',
        run({ json }) {
          const subdomain = randomUUID();
          const fulldomain = `${subdomain}.${world.zones[0]?.name}`;
          const made = { username: randomUUID(), password: randomUUID(), subdomain, fulldomain };
          known.push(made);
          return { status: 201, json: { ...made, allowfrom: json?.allowfrom ?? [] } };
        },
      },
    ],
  };
}

const empty: Place = { value: '', writtenAt: 0 };
