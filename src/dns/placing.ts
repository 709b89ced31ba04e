import { AgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import { withPatience } from './deadline.ts';
import type { Place, WantedPlace, Zones } from './zone.ts';

export interface Placing {
  /**
   * Where each is to be written, in order. Waits a moment: a search that takes longer goes on by itself,
   * `provider.throttled` says when to ask again, and then its outcome is heard. Throws as `Zones.place`.
   */
  find(wanted: readonly WantedPlace[], signal: AbortSignal): Promise<readonly Place[]>;
}

const patienceMs = 5000;
const pauseMs = 5000;
/** What came out of a search that nobody asked after for so long is not true any more. */
const keptMs = 5 * 60_000;

interface Left {
  readonly search: Promise<readonly Place[]>;
  readonly at: Instant;
}

export function createPlacing({
  zones,
  clock,
  closing,
}: {
  readonly zones: Pick<Zones, 'place'>;
  readonly clock: Clock;
  /** Ends searches that nobody waits for. */
  readonly closing: AbortSignal;
}): Placing {
  const left = new Map<string, Left>();

  /** Apex and wildcard ask for the same name: it is looked up once. */
  function search(wanted: readonly WantedPlace[]): Promise<readonly Place[]> {
    const lookups = new Map<string, Promise<Place>>();
    return Promise.all(
      wanted.map(({ name, account }) => {
        const key = keyOf({ name, account });
        const lookup = lookups.get(key) ?? zones.place({ name, account }, closing);
        lookups.set(key, lookup);
        return lookup;
      }),
    );
  }

  function takeLeft(key: string): Promise<readonly Place[]> | undefined {
    for (const [other, { at }] of left) if (clock.now() - at > keptMs) left.delete(other);
    const found = left.get(key)?.search;
    left.delete(key);
    return found;
  }

  async function find(wanted: readonly WantedPlace[], signal: AbortSignal): Promise<readonly Place[]> {
    const key = wanted.map(keyOf).join(' ');
    const searching = takeLeft(key) ?? search(wanted);
    const found = await withPatience(searching, patienceMs, { clock, signal });
    if (found !== undefined) return found.value;
    left.set(key, { search: searching, at: clock.now() });
    throw takesLong(wanted, clock.now() + pauseMs);
  }

  return { find };
}

function keyOf({ account = '', name }: WantedPlace): string {
  return `${account}|${name}`;
}

function takesLong(wanted: readonly WantedPlace[], retryAt: Instant): AgentError {
  const [first] = wanted;
  return new AgentError(
    'provider.throttled',
    `it takes long to find the zone of ${first?.name}: the DNS or its vendor is slow`,
    { retryAt, facts: { name: first?.name, account: first?.account } },
  );
}
