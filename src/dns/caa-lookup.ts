import { parentOf } from '../core/names.ts';
import type { CaaRecord } from '../core/order/caa.ts';
import type { Clock } from '../core/ports.ts';
import { orAborted } from '../core/wait.ts';
import { createCache } from './cache.ts';
import type { DnsRecord } from './reply.ts';
import type { RecursiveResolver } from './resolver.ts';

/** The record set that counts for a name, and where it stands. */
export interface CaaSet {
  readonly owner: string;
  readonly records: readonly CaaRecord[];
}

export interface CaaLookup {
  /**
   * The relevant set of RFC 8659 §3: that of the name or its closest parent that has one, CNAMEs followed; undefined:
   * nobody restricts who may issue. Remembered for a minute. Throws `dns.query`.
   */
  find(name: string, signal: AbortSignal): Promise<CaaSet | undefined>;
  /** The next look at a name is a fresh one. */
  forget(name: string): void;
}

export interface CaaLookupNeeds {
  readonly resolver: Pick<RecursiveResolver, 'ask'>;
  readonly clock: Clock;
  /** Ends shared look-ups. */
  readonly closing: AbortSignal;
}

const keptMs = 60_000;
const maxHops = 10;

export function createCaaLookup({ resolver, clock, closing }: CaaLookupNeeds): CaaLookup {
  const sets = createCache<CaaSet>(clock);

  /** The set at one name, which may be an alias; empty: there is none. */
  async function setAt(name: string): Promise<CaaSet> {
    let owner = name;
    for (let hop = 0; hop < maxHops; hop++) {
      const { answers, authorities } = await resolver.ask({ name: owner, type: 'CAA' }, closing);
      const end = endOf(answers, owner);
      const records = answers.flatMap((one) => (one.type === 'CAA' && one.name === end ? [toCaa(one)] : []));
      // A resolver follows aliases itself; some small ones leave the last step to us.
      if (end === owner || records.length > 0 || authorities.some(({ type }) => type === 'SOA'))
        return { owner: end, records };
      owner = end;
    }
    return { owner, records: [] };
  }

  return {
    async find(name, signal) {
      const looks = ancestry(name).map((at) =>
        sets.get(at, async () => ({ value: await setAt(at), ttlMs: keptMs })),
      );
      // Of no interest where a closer set is found.
      for (const look of looks) look.catch(() => {});
      for (const look of looks) {
        const set = await orAborted(look, signal);
        if (set.records.length > 0) return set;
      }
      return undefined;
    },
    forget(name) {
      for (const at of ancestry(name)) sets.forget(at);
    },
  };
}

/** The name and its parents up to the top-level domain. A wildcard counts as what it stands for. */
function ancestry(name: string): readonly string[] {
  const names: string[] = [];
  for (let at: string | undefined = name.replace(/^\*\./, ''); at !== undefined; at = parentOf(at))
    names.push(at);
  return names;
}

function endOf(answers: readonly DnsRecord[], start: string): string {
  let end = start;
  for (let hop = 0; hop < maxHops; hop++) {
    const alias = answers.find((record) => record.type === 'CNAME' && record.name === end);
    if (alias?.type !== 'CNAME') return end;
    end = alias.value;
  }
  return end;
}

function toCaa({ critical, tag, value }: CaaRecord): CaaRecord {
  return { critical, tag, value };
}
