import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RunChild } from '../../src/core/child.ts';
import type { Deployer, DeployRequest } from '../../src/core/ports.ts';
import { testFolder } from '../support/run-folder.ts';
import { createFilesTarget, createManualClock, linkOf, makeBundle, signal, slotOf } from './fixture.ts';

const count = 200;
const slots = 8;

interface Given {
  /** What a reload found in place when it started. */
  readonly reloads: { readonly at: number; readonly placed: number }[];
  readonly clock: ReturnType<typeof createManualClock>;
  readonly target: () => Promise<Deployer>;
  readonly requests: readonly DeployRequest[];
  mend(): void;
}

async function given({ broken = false } = {}): Promise<Given> {
  const path = testFolder('many');
  const clock = createManualClock();
  const bundle = await makeBundle(['many.example.com']);
  const requests = Array.from({ length: count }, (_, at) => ({ bundle, slot: slotOf(`h${at}.example.com`) }));
  const reloads: Given['reloads'] = [];
  let code = broken ? 1 : 0;
  const run: RunChild = async () => {
    const placed = requests.filter(({ slot }) => existsSync(linkOf(path, slot.label))).length;
    reloads.push({ at: clock.now(), placed });
    await sleep(300);
    return { code, timedOut: false, stdout: '', stderr: 'a mistake in line 7' };
  };
  const mend = () => {
    code = 0;
  };
  return {
    reloads,
    clock,
    requests,
    mend,
    target: () => createFilesTarget({ path, reload: ['reload'] }, { clock, run }),
  };
}

interface Outcome {
  observed: number;
  readonly failures: string[];
}

/** As the workers do it: eight at a time; who comes back does so at its instant, who failed a minute later. Time passes only when nobody works. */
async function work({ clock, requests, target }: Given, agents = 1): Promise<Outcome> {
  const deployers = await Promise.all(Array.from({ length: agents }, target));
  let waiting = requests.map((request) => ({ request, at: clock.now() }));
  const outcome: Outcome = { observed: 0, failures: [] };

  async function take(deployer: Deployer): Promise<void> {
    for (;;) {
      const next = waiting.find(({ at }) => at <= clock.now());
      if (next === undefined) return;
      waiting = waiting.filter((one) => one !== next);
      const { request } = next;
      const answer = await deployer.deploy(request, signal).catch((error: unknown) => {
        outcome.failures.push(String(error));
        return { again: clock.now() + 60_000 };
      });
      if ('again' in answer) waiting = [...waiting, { request, at: answer.again }];
      else outcome.observed += 1;
    }
  }

  while (waiting.length > 0) {
    await Promise.all(deployers.flatMap((deployer) => Array.from({ length: slots }, () => take(deployer))));
    clock.advance(Math.max(0, Math.min(...waiting.map(({ at }) => at)) - clock.now()));
  }
  return outcome;
}

describe(`${count} certificates at once, eight at a time, with a reload that takes its time`, () => {
  it.each([1, 2])(
    'are all in place before the second reload, which is the last (%i agents)',
    async (agents) => {
      const many = await given();
      const { observed, failures } = await work(many, agents);
      expect({ observed, failures }).toEqual({ observed: count, failures: [] });
      expect(many.reloads).toHaveLength(2);
      const [first, second] = many.reloads;
      expect(first?.placed).toBeLessThanOrEqual(agents * slots);
      expect(second).toEqual({ at: (first?.at ?? 0) + 10_000, placed: count });
    },
  );

  it('are told of a reload that fails, share one retry, and are there once it is mended', async () => {
    const many = await given({ broken: true });
    const startedAt = many.clock.now();
    many.clock.after(60_000, many.mend);
    const { observed, failures } = await work(many);
    expect(observed).toBe(count);
    expect(failures.length).toBeLessThan(2 * count);
    expect(failures[0]).toContain('a mistake in line 7');
    // The first, the one for those who came after it, and the retry for all: who failed first is told of the second too.
    expect(many.reloads.map(({ at }) => at - startedAt)).toEqual([0, 10_000, 70_000]);
  });
});
