import type { LoadedConfig } from '../config/config.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { LivingAgent } from '../store/agents.ts';

export interface Agreement {
  /** Says which configuration this agent has, and works if it may. Call once. */
  enter(loaded: LoadedConfig): Promise<void>;
  /**
   * Goes over to another configuration: says so, lays the work down first if others have another one, then calls `use`.
   * Rejects, with all as it was, when the store does not answer.
   */
  change(loaded: LoadedConfig, use: () => void): Promise<void>;
  stop(): Promise<void>;
}

export interface AgreementNeeds {
  /** Resolves with the agents that came earlier with another shared configuration. */
  readonly announce: (hash: string) => Promise<readonly LivingAgent[]>;
  /** Brings the store in line with a configuration that counts; once for each, before any work. May run twice. */
  readonly adopt: (loaded: LoadedConfig, signal: AbortSignal) => Promise<void>;
  readonly work: Work;
  readonly clock: Clock;
  readonly log: Log;
}

/** What an agent does for all on its store. */
export interface Work {
  begin(): Promise<void>;
  /** Takes up nothing new; what is under way ends. */
  rest(): Promise<void>;
}

const everyMs = 10_000;

/**
 * All agents on a store must have the same shared configuration, or one would order, deploy and decide what the others
 * do not know. The earlier ones go on; one that differs does no work, not even commands, which would write what follows
 * from its own settings. It looks again every few seconds, and goes on by itself.
 */
export function createAgreement({ announce, adopt, work, clock, log }: AgreementNeeds): Agreement {
  const ending = new AbortController();
  let current: LoadedConfig | undefined;
  let adopted: LoadedConfig | undefined;
  let conflicting = false;
  let working = false;
  let last: Promise<void> = Promise.resolve();
  let cancel = () => {};

  /** One step at a time: a look must not begin the work while a change lays it down. */
  function inTurn(step: () => Promise<void>): Promise<void> {
    const turn = last.then(step);
    last = turn.catch(() => undefined);
    return turn;
  }

  async function say(loaded: LoadedConfig): Promise<void> {
    const others = await announce(loaded.sharedHash);
    const before = conflicting;
    conflicting = others.length > 0;
    if (conflicting && !before)
      log.error(
        { code: 'config.conflict', agents: others.map(({ id }) => id) },
        'other agents on this store have another configuration: this one does no work until they agree',
      );
    if (!conflicting && before) log.info({}, 'the agents on this store agree again');
    if (conflicting && working) {
      await work.rest();
      working = false;
    }
  }

  async function settle(loaded: LoadedConfig): Promise<void> {
    if (conflicting || ending.signal.aborted) return;
    if (adopted !== loaded) await adopt(loaded, ending.signal);
    adopted = loaded;
    if (!working) await work.begin();
    working = true;
  }

  async function look(loaded: LoadedConfig): Promise<void> {
    current = loaded;
    await say(loaded);
    await settle(loaded);
  }

  function lookLater(): void {
    if (ending.signal.aborted) return;
    cancel = clock.after(everyMs, () => {
      inTurn(async () => current && look(current))
        .catch((err: unknown) => log.warn({ err }, 'the agents on this store could not be compared'))
        .finally(lookLater);
    });
  }

  async function change(next: LoadedConfig, use: () => void): Promise<void> {
    await say(next);
    current = next;
    use();
    await settle(next).catch((err: unknown) =>
      log.warn({ err }, 'the new configuration is not in the store yet; it is tried again'),
    );
  }

  return {
    enter: async (loaded) => {
      await inTurn(() => look(loaded));
      lookLater();
    },
    change: (next, use) => inTurn(() => change(next, use)),
    stop: async () => {
      ending.abort();
      cancel();
      await last;
    },
  };
}
