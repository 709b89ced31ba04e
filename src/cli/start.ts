import { type ExitCode, exitCodes } from './exit.ts';
import { reported } from './run.ts';
import type { GlobalOptions, World } from './world.ts';

export interface StartOptions extends GlobalOptions {
  readonly roles?: readonly string[] | undefined;
  readonly acceptEmptyStore?: boolean | undefined;
}

/**
 * `start`: runs until SIGTERM or SIGINT (exit 0). SIGHUP reads the configuration again. A second SIGTERM or SIGINT does not wait for the orderly end.
 */
export async function start(options: StartOptions, world: World): Promise<ExitCode> {
  const stops = listen(world, ['SIGTERM', 'SIGINT']);
  const hangUps = listen(world, ['SIGHUP']);
  return reported(
    world,
    async (loaded) => {
      const { startAgent } = await world.agent();
      const { roles, acceptEmptyStore } = options;
      const agent = await startAgent(loaded, { roles, acceptEmptyStore });
      // The file that it was started with, whatever else stands where one is looked for.
      const reloads = createReloads(() => agent.reload(() => world.load(loaded.path)));
      hangUps.each(reloads.ask);
      await stops.nth(1);
      const orderly = reloads.end().then(() => agent.stop());
      const isForced = await Promise.race([orderly.then(() => false), stops.nth(2).then(() => true)]);
      return isForced ? exitCodes.failed : exitCodes.ok;
    },
    options,
  ).finally(() => {
    stops.end();
    hangUps.end();
  });
}

interface Signals {
  /** Resolves when the signal has come `count` times, also before this call. */
  nth(count: number): Promise<void>;
  /** Calls `run` now if the signal came already, and at each further one. */
  each(run: () => void): void;
  end(): void;
}

/** From the first moment on: a signal that comes while the agent starts must neither kill it nor be lost. */
function listen(world: World, names: readonly NodeJS.Signals[]): Signals {
  let seen = 0;
  const waiting = new Set<() => void>();
  const ends = names.map((name) =>
    world.onSignal(name, () => {
      seen++;
      for (const wake of waiting) wake();
    }),
  );
  return {
    nth: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (seen >= count) resolve();
        };
        waiting.add(look);
        look();
      }),
    each: (run) => {
      waiting.add(run);
      if (seen > 0) run();
    },
    end: () => {
      for (const end of ends) end();
    },
  };
}

interface Reloads {
  readonly ask: () => void;
  /** Takes no more; resolves when the last one is through. */
  end(): Promise<void>;
}

/** One reload at a time, in the order of the signals. */
function createReloads(reload: () => Promise<void>): Reloads {
  let last: Promise<void> = Promise.resolve();
  let isOver = false;
  return {
    ask: () => {
      if (!isOver) last = last.then(reload);
    },
    end: () => {
      isOver = true;
      return last;
    },
  };
}
