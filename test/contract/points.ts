/** What every DNS provider is held to. */
export const points = {
  1: 'adds, lists and removes a value',
  2: 'puts two values at one name in one call',
  3: 'keeps all of 20 values that come at once to one name',
  4: 'removes one value, the other stays',
  5: 'leaves foreign values and types at the name alone',
  6: 'adds what is there: success, a single copy',
  7: 'removes what is not there: success',
  8: 'removes in another process, without a handle',
  9: 'carries odd and long values',
  10: 'serves names at the apex, deep, internationalised',
  11: 'finds the zone of a name, the one below before the one above',
  12: 'follows a chain of CNAMEs, and tells a loop',
  13: 'tells a missing zone and missing rights, with few calls',
  14: 'tells wrong credentials with one call',
  15: 'gets through a refusal for haste, with and without Retry-After',
  16: 'survives faults and lost answers without copies or orphans',
  17: 'lets one bad name fail alone in a batch of 20',
  18: 'takes more changes than fit in a call (up to 500)',
  19: 'ends at once when aborted, and cleans up later',
  20: 'keeps to the least TTL',
  21: 'reads long lists of zones and records',
  22: 'calls a change live only when it is',
  23: 'waits for a lagging server, and not for a dead one',
  24: 'recovers when the process is killed between call and answer',
  25: 'shares a zone between two processes',
  26: 'checks an account, good and bad',
  27: 'proves apex, wildcard and delegated names to Pebble',
} as const;

export type Point = keyof typeof points;

/** Run for all by `npm run conformance`, and by `npm test` where a subject says so. */
export const slowPoints: readonly Point[] = [23, 24, 25, 27];

/** What a test says about a point, for the matrix. */
export interface Conformance {
  readonly provider: string;
  readonly point: Point;
  /** Why the point does not apply; undefined: the test decides. */
  readonly notApplicable?: string | undefined;
}

declare module 'vitest' {
  interface TaskMeta {
    conformance?: Conformance;
  }
}
