import { describe } from 'vitest';
import { describeEngine } from './engine.ts';
import { describeFaults } from './faults.ts';
import { describeNames } from './names.ts';
import type { Subject } from './subject.ts';
import { openSuite } from './suite.ts';
import { describeValues } from './values.ts';

/** What every DNS provider must hold to: the points of `points.ts`. Each test leaves the zone as it found it. */
export function describeProvider(name: string, subject: Subject): void {
  describe(`DNS provider ${name}`, () => {
    const suite = openSuite(name, subject);
    describeValues(suite);
    describeNames(suite);
    describeFaults(suite);
    describeEngine(suite, {
      slow: subject.slow === true || process.env.ACME_AGENT_CONFORMANCE !== undefined,
    });
  });
}
