import { AgentError, isAgentError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Instant } from '../core/types.ts';
import type { Access } from './access.ts';
import { markAwaited, readAwaited } from './generations.ts';
import type { Round, Rounds } from './rounds.ts';
import type { SlotPath } from './slot-path.ts';

/** Reloads of one target: one at a time, the first at once, the next ones at most every 10 s, each for all that was placed before it. */
export interface Reloads {
  /**
   * Call after the switch. Resolves with undefined once a reload that started after the switch has ended well, with the
   * instant at which to ask again while that is not so; whoever asks when a reload is due runs it. Throws
   * `deploy.reload` once for each reload that failed after the switch, whoever ran it; asked again after that, it wants a
   * new one.
   */
  follow(placed: Placed, signal: AbortSignal): Promise<{ readonly again: Instant } | undefined>;
}

export interface Placed {
  readonly path: SlotPath;
  readonly generation: number;
  readonly access: Access;
  /** A reload that started before this instant does not count, whatever it was for. */
  readonly since?: Instant | undefined;
}

export interface ReloadsNeeds {
  /** Name of the target. */
  readonly target: string;
  readonly rounds: Rounds;
  /** Throws `deploy.reload`; ends within `timeoutMs`. */
  readonly reload: (signal: AbortSignal) => Promise<void>;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const spacingMs = 10_000;

/** From the time limit of a reload to the end of its last process and the note about it. */
const endingMs = 10_000;

/** Who comes while a reload runs looks again after as long as it runs already, within these. */
const shortestLookMs = 500;
const longestLookMs = 5_000;

export function createReloads({ target, rounds, reload, timeoutMs, clock }: ReloadsNeeds): Reloads {
  const follow: Reloads['follow'] = async (placed, signal) => {
    for (;;) {
      const latest = await rounds.latest();
      const awaited = await awaitedRound(placed, latest);
      if (latest.lastGood >= awaited) return undefined;
      const { outcome } = latest;
      if (outcome?.ok === false && latest.number >= awaited) {
        await markAwaited(placed, target, latest.number + 1);
        throw new AgentError('deploy.reload', outcome.message, { facts: { target } });
      }
      const again = earliestStart(latest, clock.now());
      if (again > clock.now()) return { again };
      await runNext(latest, placed.access, signal);
    }
  };

  /**
   * The first round that may count. It is noted after the switch: a reload that starts between is taken for one that
   * came too early, never the other way round. What a lost folder of rounds makes unreachable is noted anew.
   */
  async function awaitedRound(placed: Placed, latest: Round): Promise<number> {
    const noted = await readAwaited(placed, target);
    const next = latest.number + 1;
    const known = noted !== undefined && noted <= next ? noted : next;
    const least = placed.since === undefined || latest.startedAt > placed.since ? latest.number : next;
    const awaited = placed.since === undefined ? known : Math.max(known, least);
    if (awaited !== noted) await markAwaited(placed, target, awaited);
    return awaited;
  }

  async function runNext(latest: Round, access: Access, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const startedAt = clock.now();
    const until = startedAt + timeoutMs + endingMs;
    const round = await rounds.start(latest, { startedAt, until, access });
    if (round === undefined) return;
    try {
      await reload(signal);
      await rounds.end({ ...round, outcome: { ok: true }, lastGood: round.number }, access);
    } catch (error) {
      const outcome = isAgentError(error, 'deploy.reload')
        ? ({ ok: false, message: error.message } as const)
        : undefined;
      // Broken off: it says nothing about the reload, and nobody need wait for it.
      await rounds.end({ ...round, until: clock.now(), outcome }, access);
      if (outcome === undefined) throw error;
    }
  }

  return { follow };
}

function earliestStart({ number, startedAt, until, outcome }: Round, now: Instant): Instant {
  // A clock that was set back must not hold reloads up.
  if (number === 0 || startedAt > now) return now;
  const isRunning = outcome === undefined && now < until;
  if (isRunning) return now + Math.min(Math.max(now - startedAt, shortestLookMs), longestLookMs);
  return startedAt + spacingMs;
}
