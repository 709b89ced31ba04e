import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that wait or work the longest, the longest first. */
const longest = [
  'e2e/kill.test.ts',
  'e2e/advice.test.ts',
  'e2e/dead-issuer.test.ts',
  'e2e/dns.test.ts',
  'e2e/dns-care.test.ts',
  'e2e/notices.test.ts',
  'e2e/dns-crowd.test.ts',
  'e2e/main-job.test.ts',
  'e2e/bad-input.test.ts',
  'e2e/drafts.test.ts',
  'e2e/refusals.test.ts',
];

/** Long files first, then the others that start agents: one that begins last would be waited for alone. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId, project }: TestSpecification): number {
  const name = relative(`${project.config.root}/test`, moduleId);
  const index = longest.indexOf(name);
  if (index >= 0) return index;
  return longest.length + (name.startsWith('e2e/') ? 0 : 1);
}
