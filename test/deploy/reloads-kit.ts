import { expect } from 'vitest';
import { AgentError } from '../../src/core/errors.ts';
import type { Access } from '../../src/deploy/access.ts';
import { switchTo } from '../../src/deploy/generations.ts';
import { createReloads, type Placed, type Reloads } from '../../src/deploy/reloads.ts';
import { createRounds } from '../../src/deploy/rounds.ts';
import { slotPath } from '../../src/deploy/slot-path.ts';
import { testFolder } from '../support/run-folder.ts';
import { createManualClock, slotOf } from './fixture.ts';

export const access: Access = { fileMode: 0o600, directoryMode: 0o700, uid: -1, gid: -1 };

interface Run {
  end(): void;
  fail(message: string): void;
}

/** A target in a folder of its own, and agents on it that share its folder and the time; a reload ends when the test says so. */
export function givenTarget() {
  const root = testFolder('reloads');
  const clock = createManualClock();
  const runs: Run[] = [];

  /** As a new process, or the same one with a new configuration, would make it. */
  function agent(name = 'web'): Reloads {
    const reload = (abort: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        abort.addEventListener('abort', () => reject(abort.reason), { once: true });
        runs.push({ end: resolve, fail: (message) => reject(new AgentError('deploy.reload', message)) });
      });
    return createReloads({
      target: name,
      rounds: createRounds(root, name),
      reload,
      timeoutMs: 30_000,
      clock,
    });
  }

  async function place(label: string): Promise<Placed> {
    const path = slotPath(root, slotOf(label));
    return { path, generation: await switchTo(path, { 'combined.pem': label }, access), access };
  }

  function run(at: number): Run {
    const found = runs[at];
    if (found === undefined) throw new Error(`reload ${at} has not started`);
    return found;
  }

  const started = (count: number) => expect.poll(() => runs.length).toBe(count);
  return { root, clock, agent, place, run, started, count: () => runs.length };
}
