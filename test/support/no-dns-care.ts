import type { DnsCare } from '../../src/core/dns-care.ts';

/** For tests in which nobody asks about zones. */
export function noDnsCare(): DnsCare {
  const unused = () => Promise.reject(new Error('this test asks nothing about zones'));
  return {
    leftovers: unused,
    discard: unused,
    examine: unused,
    beginTrial: unused,
    seeTrial: unused,
    endTrial: unused,
  };
}
