import { registeredDomain } from '../acme/registered-domain.ts';
import { isAddress } from '../core/address.ts';
import { isWildcard, parseName, refusal } from '../core/names.ts';
import { type ConsiderNeeds, considerHost, type Outcome } from '../core/on-demand/consider.ts';
import { isAllowed } from '../core/on-demand/patterns.ts';
import type { Ports } from '../core/ports.ts';
import { createLru } from '../edge/lru.ts';

type Needs = Omit<ConsiderNeeds, 'registeredDomain'> & Pick<Ports, 'metrics'>;

/** Hosts at a time, and those that wait for their turn; more are asked for again. */
const mostAtOnce = 4;
const mostInTurn = 1_000;
/** Told of it again within this time nothing is looked up. */
const knownMs = 5_000;
const mostKnown = 10_000;

/** Hears which hosts clients ask for, and looks at each while this agent works. */
export function startOnDemand(isWorking: () => boolean, needs: Needs): { stop(): Promise<void> } {
  const { hostAsks, settings, metrics, clock, log } = needs;
  const known = createLru<number>({ most: mostKnown, mostWeight: Number.POSITIVE_INFINITY });
  const inTurn = new Set<string>();
  const running = new Set<Promise<void>>();
  const end = new AbortController();

  function count(outcome: Outcome): void {
    metrics.count('hosts_asked_total', { outcome });
  }

  function hear(text: string): void {
    const rules = settings().onDemand;
    if (rules === undefined || !isWorking()) return;
    if (isHost(text) && isAllowed(text, rules.allow)) queue(text);
    else count('notAllowed');
  }

  function queue(name: string): void {
    if (clock.now() < (known.get(name) ?? 0) || inTurn.size >= mostInTurn) return;
    known.set(name, clock.now() + knownMs, 0);
    inTurn.add(name);
    next();
  }

  function next(): void {
    const [name] = inTurn;
    if (name === undefined || running.size >= mostAtOnce || end.signal.aborted) return;
    inTurn.delete(name);
    const work = look(name).finally(() => {
      running.delete(work);
      next();
    });
    running.add(work);
  }

  async function look(name: string): Promise<void> {
    try {
      count(await considerHost(name, { ...needs, registeredDomain }, end.signal));
    } catch (err) {
      if (!end.signal.aborted)
        log.warn({ host: name, err }, 'a host that was asked for could not be looked at');
    }
  }

  const unlisten = hostAsks.hear(hear);
  return {
    stop: async () => {
      unlisten();
      end.abort();
      await Promise.allSettled(running);
    },
  };
}

/** Whoever may publish may publish anything. */
function isHost(text: string): boolean {
  if (text.length > 253 || refusal(text) !== undefined) return false;
  return parseName(text) === text && !isWildcard(text) && !isAddress(text);
}
