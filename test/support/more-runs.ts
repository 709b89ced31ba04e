/** A property is tried a few times in a run of all tests; `ACME_AGENT_TEST_MORE=50` tries it fifty times as often. */
export function moreRuns(usual: number): number {
  return usual * Number(process.env.ACME_AGENT_TEST_MORE ?? 1);
}
