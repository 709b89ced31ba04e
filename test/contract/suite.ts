import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { TxtChange } from '../../src/core/provider.ts';
import { applyChunked } from './dns-calls.ts';
import { type Point, points } from './points.ts';
import type { Part, ProviderUnderTest, Subject } from './subject.ts';

/** What a point needs; the first that is not to be had is why it does not apply. */
export interface Needs {
  readonly part?: Part | undefined;
  /** Why the traits rule it out. */
  readonly unless?: string | undefined;
}

/** The subject of a run, and what the points share. */
export interface Suite {
  readonly traits: Subject['traits'];
  /** Only in a test. */
  readonly subject: () => ProviderUnderTest;
  /** A challenge name of the zone. */
  at(label: string): string;
  add(name: string, value: string): TxtChange;
  remove(name: string, value: string): TxtChange;
  apply(changes: readonly TxtChange[], provider?: ProviderUnderTest['provider']): Promise<void>;
  /** Fails if values stand at the name after all were removed, where the traits do not say that they may. */
  expectGone(name: string): Promise<void>;
  /** A test of a point. `detail`: where there is more than one. */
  point(number: Point, run: () => Promise<void>, needs?: Needs & { readonly detail?: string }): void;
}

export const digest = 'LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo';

/** Sets the subject up for all tests of the block; each must leave the zone as it found it. */
export function openSuite(provider: string, { traits, setup, notApplicable }: Subject): Suite {
  let subject: ProviderUnderTest;
  let before: string;
  const ttl = Math.max(traits.ttl.preferred, traits.ttl.min);

  beforeAll(async () => {
    subject = await setup();
  });
  afterAll(() => subject.stop());
  beforeEach(async () => {
    before = await subject.snapshot();
  });
  afterEach(async () => {
    if (traits.keepsRemoved !== true) expect(await subject.snapshot()).toBe(before);
  });

  return {
    traits,
    subject: () => subject,
    at: (label) => `_acme-challenge.${label}.${subject.zone.name}`,
    add: (name, value) => ({ op: 'add', name, value, ttl }),
    remove: (name, value) => ({ op: 'remove', name, value, ttl }),
    apply: (changes, by = subject.provider) => applyChunked(by, subject.zone, changes),
    async expectGone(name) {
      if (traits.keepsRemoved !== true) expect(await subject.txt(name)).toEqual([]);
    },
    point(number, run, { part, unless, detail } = {}) {
      const title = `${number} ${points[number]}${detail === undefined ? '' : `: ${detail}`}`;
      const lacking = part === undefined ? undefined : notApplicable[part];
      const reason = unless ?? lacking;
      if (reason === undefined) {
        it(title, async ({ task }) => {
          task.meta.conformance = { provider, point: number };
          await run();
        });
        return;
      }
      it(`n/a: ${title} (${reason})`, ({ task }) => {
        task.meta.conformance = { provider, point: number, notApplicable: reason };
        if (unless !== undefined) return;
        const holder: object = part === 'listTxt' || part === 'findZone' ? subject.provider : subject;
        const found = Object.entries(holder).find(([key, value]) => key === part && value !== undefined);
        expect(found).toBeUndefined();
      });
    },
  };
}
